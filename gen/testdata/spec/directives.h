/* Directives are what C takes for them, not what they look like. */
#/**/define COMMENTED 1
#def\
ine SPLICED 2
%:define DIGRAPH 3
  #  define  SPACED  4 /* a comment
   over two lines */ + 40
/* #define IN_A_COMMENT 5 */
#define TEXT "#define IN_A_STRING 6"
#define CONTINUED 7 \
	+ 70
#define ARRAY_SIZE sizeof(digraphs.a)
struct digraphs_s <% int a<:3:>; %>;
extern struct digraphs_s digraphs;
#ifdef COMMENTED
#define BEHIND_IFDEF 8 // a comment
#endif
