/* A semicolon more is nothing. */
;
struct s { ; int a;; int b; };
union u { int a;; };;
