/* http: the chunked coding's framing, read strictly (RFC 9112 7.1). */
#ifndef WW_CHUNK_H
#define WW_CHUNK_H

#include <whichworker/http.h>

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LINE, /* of the trailers: its first byte */
    CHUNK_TRAILER,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
};

struct chunks {
    enum chunk_state state;
    unsigned digits; /* of the size, so far */
    bool last;       /* the chunk of size 0 has come */
    uint64_t left;   /* data bytes of this chunk */
    uint64_t extra;  /* bytes of extensions that no data has paid for, then those of trailers */
    uint64_t max_extra;
    const char *why;
};

/* max_extra: how many bytes extensions may have beyond the data that they came with, and how
 * many the trailers may have. */
void chunks_begin(struct chunks *c, uint64_t max_extra);

/* Reads framing and steps over data. *out_used says how many bytes belong to the body, its
 * trailers and the empty line behind them. MORE, DONE, or BAD with c->why. */
WW_MUST enum ww_parse chunks_scan(struct chunks *c, ww_str bytes, size_t *out_used);

#endif
