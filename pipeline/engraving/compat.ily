%% What old scores still call although LilyPond no longer has it and convert-ly cannot mend it.
%% Only beams, markings and titles are concerned; no note depends on them.

%% Beams are grouped as LilyPond does now.
#(define (partimento-nothing . arguments) (make-music 'SequentialMusic 'void #t))
#(define override-auto-beam-setting partimento-nothing)
#(define score-override-auto-beam-setting partimento-nothing)
#(define revert-auto-beam-setting partimento-nothing)

%% The types of repeat came later.
#(define unfold-repeats
  (let ((unfold unfold-repeats))
   (lambda arguments
    (if (null? (cdr arguments))
     (unfold '() (car arguments))
     (apply unfold arguments)))))

%% Once music, they are now marks after a note.
deprecatedcresc = #(make-span-event 'CrescendoEvent START)
deprecateddim = #(make-span-event 'DecrescendoEvent START)
deprecatedendcresc = #(make-span-event 'CrescendoEvent STOP)
deprecatedenddim = #(make-span-event 'DecrescendoEvent STOP)

sustainDown = #(make-span-event 'SustainEvent START)
sustainUp = #(make-span-event 'SustainEvent STOP)

#(define-markup-command (bigger layout props text) (markup?)
  (interpret-markup layout props (markup #:larger text)))

%% Marks were of one kind.
#(hashq-set! music-name-to-property-table 'MarkEvent
  (hashq-ref music-name-to-property-table 'AdHocMarkEvent))
