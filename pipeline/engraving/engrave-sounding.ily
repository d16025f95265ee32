%% For a file none of whose scores is to sound.
\include "engrave.ily"
\include "sounding.ily"
