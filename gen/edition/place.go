package main

import (
	"fmt"
	"slices"
	"strings"
)

// endOfConstants stands for a place that nobody knows.
const endOfConstants = -1

// place puts the declaration of a new constant, the tree's number i, where
// those of its family are: behind the one that the tree has before it, or else
// before the one that the tree has after it. Where there is none it is put
// behind the last constant of the header, under a heading of its own.
func (u *update) place(i int, lines []string) {
	c := u.constants[i]
	where := u.behind(i)
	u.placed[c.Name] = where
	if where != endOfConstants {
		u.edit.insert(where, append([]string{""}, lines...))
		return
	}
	heading := fmt.Sprintf("New in Linux %s.", u.release)
	line, group := u.lastConstant()
	if group != heading && len(u.edit.atEnd) == 0 {
		lines = append([]string{"/* " + heading + " */", ""}, lines...)
	}
	u.edit.atEnd = append(append(u.edit.atEnd, ""), lines...)
	u.edit.end = line
}

// behind returns the line behind which a constant goes.
func (u *update) behind(i int) int {
	c := u.constants[i]
	for _, other := range slices.Backward(u.constants[:i]) {
		if !family(c, other) {
			continue
		}
		if line, ok := u.placed[other.Name]; ok {
			return line
		}
		if at, ok := u.have[other.Name]; ok {
			return at.last
		}
	}
	for _, other := range u.constants[i+1:] {
		if at, ok := u.have[other.Name]; ok && family(c, other) {
			line := u.ours.comment(at.first) - 1
			for line > 1 && u.ours.blank(line) {
				line--
			}
			return line
		}
	}
	return endOfConstants
}

// lastConstant returns the line in which the last of our constants ends, and
// the heading that it stands under.
func (u *update) lastConstant() (line int, group string) {
	for _, c := range u.old[0].Constants {
		if at := u.have[c.Name]; at.last >= line {
			line, group = at.last, c.Group
		}
	}
	if line == 0 {
		return u.endOfHeader(), ""
	}
	return line, group
}

// family reports whether two constants belong together: two ioctls, or two
// other constants that share the first two words of their names.
func family(a, b constant) bool {
	if a.ioctl || b.ioctl {
		return a.ioctl && b.ioctl
	}
	x, y := strings.SplitN(a.Name, "_", 3), strings.SplitN(b.Name, "_", 3)
	return len(x) > 2 && len(y) > 2 && x[0] == y[0] && x[1] == y[1]
}
