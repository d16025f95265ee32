%% One compile, two modalities. Read before every score (-dinclude-settings): noteheads and staves
%% carry their identity into the SVG, and notes are logged as they are played. Both name the location
%% in the source that they come from; the link between print and sound is a join on it.

\include "compat.ily"

%% A file's name with what SVG and the log cannot hold as %XX, and % itself.
#(define partimento-names (make-hash-table))
#(define (partimento-escaped name)
  (or (hash-ref partimento-names name)
   (hash-set! partimento-names name
    (string-concatenate
     (map (lambda (char)
           (if (or (char<? char #\space) (string-index "%&<>\"'" char))
            (string-append "%" (string-pad (number->string (char->integer char) 16) 2 #\0))
            (string char)))
      (string->list name))))))

#(define (partimento-where event)
  (let ((origin (and event (ly:event-property event 'origin #f))))
   (if (ly:input-location? origin)
    (let ((place (ly:input-file-line-char-column origin)))
     (format #f "~a:~a:~a" (partimento-escaped (car place)) (cadr place) (caddr place)))
    "")))

#(define (partimento-pitch event)
  (let ((pitch (and event (ly:event-property event 'pitch #f))))
   (if (ly:pitch? pitch)
    (number->string (+ 60 (* 2 (ly:pitch-tones pitch))))
    "")))

%% Systems, staves and noteheads are told apart by a number that each grob gets when first asked.
#(define partimento-seen (make-hash-table))
#(define partimento-count 0)
#(define (partimento-number grob)
  (if (ly:grob? grob)
   (or (hashq-ref partimento-seen grob)
    (let ((number partimento-count))
     (set! partimento-count (1+ number))
     (hashq-set! partimento-seen grob number)
     number))
   -1))

#(define (partimento-place kind grob staff)
  `((data-kind . ,kind)
    (data-system . ,(partimento-number (ly:grob-system grob)))
    (data-staff . ,(partimento-number staff))))

%% The number of a notehead's bar, and where in the bar it stands, in whole notes; a pickup counts
%% back from the bar that it leads to.
#(define (partimento-bar-place grob)
  (let ((place (grob::rhythmic-location grob)))
   (if (pair? place)
    `((data-bar . ,(number->string (car place)))
      (data-beat . ,(number->string (ly:moment-main (cdr place)))))
    '())))

#(define (partimento-head grob)
  (let* ((event (event-cause grob))
         (pitch (and event (ly:event-property event 'pitch #f)))
         (moment (grob::when grob))
         (stencil (ly:grob-property grob 'stencil))
         (x (ly:stencil-extent stencil X))
         (y (ly:stencil-extent stencil Y)))
   `(,@(partimento-place "head" grob (ly:grob-object grob 'staff-symbol #f))
     (data-number . ,(partimento-number grob))
     (data-score . ,(partimento-number (ly:grob-original (ly:grob-system grob))))
     (data-where . ,(partimento-where event))
     (data-pitch . ,(partimento-pitch event))
     (data-steps . ,(if (ly:pitch? pitch) (number->string (ly:pitch-steps pitch)) ""))
     (data-moment . ,(number->string (ly:moment-main moment)))
     (data-grace . ,(number->string (ly:moment-grace moment)))
     ,@(partimento-bar-place grob)
     (data-box . ,(format #f "~a ~a ~a ~a" (car x) (cdr x) (car y) (cdr y))))))

#(define (partimento-staff grob)
  (partimento-place "staff" grob grob))

#(define (partimento-clef grob)
  (let ((glyph (ly:grob-property grob 'glyph "")))
   `(,@(partimento-place "clef" grob (ly:grob-object grob 'staff-symbol #f))
     (data-glyph . ,(if (string? glyph) glyph "")))))

%% What alters a notehead: its own accidental, the tie that leads to it, the key, and the bar lines
%% that end what an accidental altered. An accidental's parent is its notehead.
#(define (partimento-accidental grob)
  (let ((glyph (ly:grob-property grob 'glyph-name "")))
   `((data-kind . "accidental")
     (data-head . ,(partimento-number (ly:grob-parent grob Y)))
     (data-glyph . ,(if (string? glyph) glyph "")))))

#(define (partimento-tie grob)
  (let ((whole (ly:grob-original grob)))
   `((data-kind . "tie")
     (data-left . ,(partimento-number (ly:spanner-bound whole LEFT)))
     (data-right . ,(partimento-number (ly:spanner-bound whole RIGHT))))))

%% The steps of the scale that a key alters, each with its alteration in semitones.
#(define (partimento-key grob)
  (let ((altered (ly:grob-property grob 'alteration-alist '())))
   `(,@(partimento-place "key" grob (ly:grob-object grob 'staff-symbol #f))
     (data-altered .
      ,(string-join
        (map (lambda (entry)
              (let ((step (if (pair? (car entry)) (cdar entry) (car entry))))
               (format #f "~a:~a" step (* 2 (cdr entry)))))
         altered))))))

%% A cancellation: no step is altered from here on.
#(define (partimento-cancellation grob)
  `(,@(partimento-place "key" grob (ly:grob-object grob 'staff-symbol #f))
    (data-altered . "")))

%% Bar lines with dots tell where repeats go back.
#(define (partimento-bar grob)
  (let ((glyph (ly:grob-property grob 'glyph "")))
   `(,@(partimento-place "bar" grob (ly:grob-object grob 'staff-symbol #f))
     (data-score . ,(partimento-number (ly:grob-original (ly:grob-system grob))))
     (data-glyph . ,(if (string? glyph) glyph ""))
     (data-moment . ,(number->string (ly:moment-main (grob::when grob)))))))

%% The log: one line an event, fields between tabs, in a file named after the output. A moment is
%% given by its main and its grace part, in whole notes.
#(define partimento-logs '())
#(define (partimento-log context kind . fields)
  (let* ((name (string-append (ly:parser-output-name) ".log"))
         (now (ly:context-current-moment context))
         (moment (if (ly:moment? now) now ZERO-MOMENT))
         (port (or (assoc-ref partimento-logs name)
                (let ((new (open-output-file name)))
                 (set! partimento-logs (acons name new partimento-logs))
                 new))))
   (format port "~a\t~a\t~a" kind (ly:moment-main moment) (ly:moment-grace moment))
   (for-each (lambda (field) (format port "\t~a" field)) fields)
   (newline port)
   (force-output port)))

%% A note is tied by an event of its chord or by one of its own.
#(define (partimento-tied? event)
  (any (lambda (mark) (ly:in-event-class? mark 'tie-event))
   (ly:event-property event 'articulations '())))

%% Semitones by which the notes of a context sound above their written pitch.
#(define (partimento-transposition context)
  (let ((pitch (ly:context-property context 'instrumentTransposition #f)))
   (if (ly:pitch? pitch) (* 2 (ly:pitch-tones pitch)) 0)))

#(define (partimento-percussion? context)
  (let ((instrument (ly:context-property context 'midiInstrument #f)))
   (and (string? instrument) (percussion? (string->symbol instrument)))))

%% Logs the notes of a context as `kind`. Instruments are known once all of a moment is heard.
#(define partimento-voices 0)
#(define (partimento-performer kind)
  (lambda (context)
   (set! partimento-voices (1+ partimento-voices))
   (let ((voice partimento-voices)
         (heard #f))
    (make-performer
     (listeners
      ((note-event performer event)
       (set! heard #t)
       (partimento-log context kind voice
        (ly:moment-main (ly:event-property event 'length))
        (partimento-pitch event)
        (partimento-where event)
        (if (partimento-tied? event) "tied" "")
        (if (eq? #t (ly:context-property context 'tieWaitForNote #f)) "wait" "")))
      ((tie-event performer event) (partimento-log context "tie" voice))
      ((percent-event performer event) (partimento-log context "percent"))
      ((double-percent-event performer event) (partimento-log context "percent"))
      ((repeat-slash-event performer event) (partimento-log context "percent")))
     ((process-music performer)
      (if heard
       (let ((semitones (partimento-transposition context)))
        (if (not (= 0 semitones))
         (partimento-log context "transposition" voice semitones))
        (if (partimento-percussion? context)
         (partimento-log context "percussion" voice))))
      (set! heard #f))))))
#(define partimento-note-performer (partimento-performer "note"))
#(define partimento-chord-performer (partimento-performer "chord"))
#(define partimento-drum-performer (partimento-performer "drum"))

%% Each score of a file is played after the last. Its tempo may be set by \tempo or in \midi.
#(define (partimento-score-performer context)
  (let ((last #f))
   (make-performer
    ((initialize performer) (partimento-log context "score"))
    ((process-music performer)
     (let ((tempo (ly:context-property context 'tempoWholesPerMinute #f)))
      (if (and (ly:moment? tempo) (not (equal? tempo last)))
       (partimento-log context "tempo" (* 4 (ly:moment-main tempo))))
      (set! last tempo)))
    ((finalize performer) (partimento-log context "end")))))

\layout {
  \context {
    \Score
    \override NoteHead.output-attributes = #partimento-head
    \override StaffSymbol.output-attributes = #partimento-staff
    \override Clef.output-attributes = #partimento-clef
    \override Accidental.output-attributes = #partimento-accidental
    \override AccidentalCautionary.output-attributes = #partimento-accidental
    \override Tie.output-attributes = #partimento-tie
    \override KeySignature.output-attributes = #partimento-key
    \override KeyCancellation.output-attributes = #partimento-cancellation
    \override BarLine.output-attributes = #partimento-bar
  }
}
%% Contexts are defined from Voice before this file is read, so each of them is named.
\midi {
  \context { \Voice \consists #partimento-note-performer }
  \context { \CueVoice \consists #partimento-note-performer }
  \context { \TabVoice \consists #partimento-note-performer }
  \context { \GregorianTranscriptionVoice \consists #partimento-note-performer }
  \context { \KievanVoice \consists #partimento-note-performer }
  \context { \MensuralVoice \consists #partimento-note-performer }
  \context { \PetrucciVoice \consists #partimento-note-performer }
  \context { \VaticanaVoice \consists #partimento-note-performer }
  \context { \ChordNames \consists #partimento-chord-performer }
  \context { \DrumVoice \consists #partimento-drum-performer }
  \context { \Score \consists #partimento-score-performer }
}

%% Each book has its own pages and each score its own MIDI file, numbered in the order in which they
%% are played. By LilyPond's own names a second book overwrites pages and MIDI files of the first.
#(define partimento-books 0)
#(define (toplevel-book-handler book)
  (let ((name (ly:parser-output-name)))
   (ly:book-process book $defaultpaper $defaultlayout
    (if (= 0 partimento-books) name (format #f "~a-b~a" name partimento-books)))
   (set! partimento-books (1+ partimento-books))))

#(define partimento-midi-files 0)
#(module-set! (resolve-module '(lily)) 'write-performances-midis
  (lambda (performances . rest)
   (for-each
    (lambda (performance)
     (let ((name (ly:parser-output-name)))
      (ly:performance-write performance
       (if (= 0 partimento-midi-files)
        (format #f "~a.midi" name)
        (format #f "~a-~a.midi" name partimento-midi-files))
       name)
      (set! partimento-midi-files (1+ partimento-midi-files))))
    performances)))

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
