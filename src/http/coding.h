/* http: inflating, shared by content codings and packed cookies. */
#ifndef WW_HTTP_CODING_H
#define WW_HTTP_CODING_H

#include <whichworker/http.h>

/* Appends what bytes unpack to, as far as out takes it. A zlib stream, not gzip, not raw. */
enum ww_decoded ww_inflate_zlib(ww_str bytes, struct ww_buf *out);

#endif
