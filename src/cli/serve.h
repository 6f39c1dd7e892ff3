/* cli: a proxy with all its parts: listener, attribution, recorder, live lines, signals. */
#ifndef WW_SERVE_H
#define WW_SERVE_H

#include "config.h"

/* Serves until SIGINT or SIGTERM, prints the summary. An exit status, or < 0 and err. */
int serve(const struct config *c, struct ww_err *err);

#endif
