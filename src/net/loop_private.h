/* net: what the room's files share of the loop. */
#ifndef WW_LOOP_PRIVATE_H
#define WW_LOOP_PRIVATE_H

#include <whichworker/loop.h>

#include <stddef.h>
#include <uv.h>

/* One read's worth. What a stream reads is handed on before the next stream reads, so one
 * buffer serves all of them: an idle connection holds none. */
#define WW_READ_BYTES 65536

struct ww_loop {
    uv_loop_t uv;
    char scratch[WW_READ_BYTES];
};

#define WW_CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
