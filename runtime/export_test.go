package userfaultfd

// What the tests, which are outside the package, share with it.
var ParseFdinfo = parseFdinfo
