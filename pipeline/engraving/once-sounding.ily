%% For a file none of whose scores is to sound.
\include "once.ily"
\include "sounding.ily"
