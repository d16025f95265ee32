%% As engrave.ily, but repeats that a score plays out sound once.
\include "engrave.ily"
unfoldRepeats =
#(define-music-function (types music) ((symbol-list-or-symbol? '()) ly:music?) music)
#(define (unfold-repeats . arguments) (last arguments))
