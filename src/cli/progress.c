/* A line that counts up. */
#include "progress.h"

#include <whichworker/units.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_US    1000000
#define EVERY_US    100000
#define BETWEEN_MAX 256 /* items that are counted before the clock is asked again */

void progress_begin(struct progress *p, const char *what, bool quiet)
{
    const char *term = getenv("TERM");

    *p = (struct progress){ .what = what, .next_us = ww_clock_mono_us() + FIRST_US };
    p->on = !quiet && isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0 &&
            getenv("CI") == NULL;
}

void progress_add(struct progress *p, uint64_t n)
{
    uint64_t before = p->n;

    p->n += n;
    if (!p->on || before / BETWEEN_MAX == p->n / BETWEEN_MAX)
        return;

    int64_t now = ww_clock_mono_us();

    if (now < p->next_us)
        return;
    p->next_us = now + EVERY_US;
    p->said = true;
    fprintf(stderr, "\r%" PRIu64 " %s ", p->n, p->what);
}

void progress_end(struct progress *p)
{
    if (p->said)
        fprintf(stderr, "\r%40s\r", "");
    p->on = false;
}
