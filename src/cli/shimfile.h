/* cli: where the library is that is preloaded into a backend. */
#ifndef WW_SHIMFILE_H
#define WW_SHIMFILE_H

#include <whichworker/err.h>

#define SHIMFILE_ROOM 4200

/* Its path, as LD_PRELOAD takes it. */
int shimfile_find(char out[SHIMFILE_ROOM], struct ww_err *err);

#endif
