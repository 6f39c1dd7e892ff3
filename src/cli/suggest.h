/* cli: which known word a mistyped one probably meant. */
#ifndef WW_SUGGEST_H
#define WW_SUGGEST_H

#include <whichworker/str.h>

/* The nearest candidate, or NULL if all are too far away. next gives them, NULL at the end. */
const char *closest(ww_str word, const char *(*next)(const void *ctx, size_t i),
                    const void *ctx);

#endif
