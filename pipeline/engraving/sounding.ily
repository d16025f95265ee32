%% For a file none of whose scores is to sound: each that is printed sounds as well.
#(define (partimento-sounding handler)
  (lambda arguments
   (let ((score (last arguments)))
    (if (ly:score? score)
     (begin
      (if (null? (ly:score-output-defs score))
       (ly:score-add-output-def! score (ly:output-def-clone $defaultlayout)))
      (ly:score-add-output-def! score (ly:output-def-clone $defaultmidi))))
    (apply handler arguments))))

#(define toplevel-score-handler (partimento-sounding toplevel-score-handler))
#(define book-score-handler (partimento-sounding book-score-handler))
#(define bookpart-score-handler (partimento-sounding bookpart-score-handler))
