/* http: undoes content codings, never writing more than the buffer's limit: bombs end as a cut.
 */
#include "coding.h"

#include <brotli/decode.h>
#include <limits.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK           16384
#define MAX_CODINGS     4  /* in a row; nobody means more */
#define ZSTD_WINDOW_LOG 23 /* 8 MiB: what a browser grants (RFC 9659) */

#define WINDOW_GZIP (15 + 16)
#define WINDOW_ZLIB 15
#define WINDOW_RAW  (-15)

/* What fits is kept; what does not marks the buffer full. */
static bool emit(struct ww_buf *out, const void *data, size_t n)
{
    size_t room = out->max - out->len;

    if (n <= room)
        return ww_buf_add(out, ww_str_n(data, n));
    ww_buf_add(out, ww_str_n(data, room));
    return ww_buf_add(out, ww_str_n((const char *)data + room, n - room));
}

static enum ww_decoded copy(ww_str bytes, struct ww_buf *out)
{
    return emit(out, bytes.ptr, bytes.len) ? WW_DECODED : WW_DECODED_CUT;
}

/* ---- zlib: gzip, deflate */

static bool another_member(const z_stream *z)
{
    return z->avail_in >= 2 && z->next_in[0] == 0x1f && z->next_in[1] == 0x8b;
}

/* Runs z over its input. Bytes behind the end of the stream are ignored, as browsers do. */
static enum ww_decoded inflate_all(z_stream *z, bool members, struct ww_buf *out)
{
    unsigned char chunk[CHUNK];

    for (;;) {
        z->next_out = chunk;
        z->avail_out = sizeof(chunk);
        int r = inflate(z, Z_NO_FLUSH);
        if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
            return WW_DECODED_NOT;
        if (!emit(out, chunk, sizeof(chunk) - z->avail_out))
            return WW_DECODED_CUT;
        if (r == Z_STREAM_END) {
            if (!members || !another_member(z))
                return WW_DECODED;
            if (inflateReset(z) != Z_OK)
                return WW_DECODED_NOT;
        } else if (z->avail_out > 0 && z->avail_in == 0) {
            return WW_DECODED_CUT;
        }
    }
}

static enum ww_decoded inflate_window(int window, ww_str bytes, struct ww_buf *out)
{
    if (bytes.len > UINT_MAX)
        return WW_DECODED_NOT;
    z_stream z = { .next_in = (z_const Bytef *)bytes.ptr, .avail_in = (uInt)bytes.len };
    if (inflateInit2(&z, window) != Z_OK)
        return WW_DECODED_NOT;
    enum ww_decoded r = inflate_all(&z, window == WINDOW_GZIP, out);
    inflateEnd(&z);
    return r;
}

enum ww_decoded ww_inflate_zlib(ww_str bytes, struct ww_buf *out)
{
    return inflate_window(WINDOW_ZLIB, bytes, out);
}

static enum ww_decoded gunzip(ww_str bytes, struct ww_buf *out)
{
    return inflate_window(WINDOW_GZIP, bytes, out);
}

/* RFC 9110 8.4.1.2 note: some send "deflate" without the zlib wrapper. */
static enum ww_decoded inflate_either(ww_str bytes, struct ww_buf *out)
{
    size_t before = out->len;
    enum ww_decoded r = inflate_window(WINDOW_ZLIB, bytes, out);

    if (r != WW_DECODED_NOT)
        return r;
    out->len = before;
    return inflate_window(WINDOW_RAW, bytes, out);
}

/* ---- brotli, zstd */

static enum ww_decoded brotli_all(BrotliDecoderState *b, ww_str bytes, struct ww_buf *out)
{
    unsigned char chunk[CHUNK];
    const uint8_t *in = (const uint8_t *)bytes.ptr;
    size_t in_left = bytes.len;

    for (;;) {
        uint8_t *next = chunk;
        size_t room = sizeof(chunk);
        BrotliDecoderResult r =
            BrotliDecoderDecompressStream(b, &in_left, &in, &room, &next, NULL);
        if (r == BROTLI_DECODER_RESULT_ERROR)
            return WW_DECODED_NOT;
        if (!emit(out, chunk, sizeof(chunk) - room))
            return WW_DECODED_CUT;
        if (r == BROTLI_DECODER_RESULT_SUCCESS)
            return WW_DECODED;
        if (r == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT)
            return WW_DECODED_CUT;
    }
}

static enum ww_decoded unbrotli(ww_str bytes, struct ww_buf *out)
{
    BrotliDecoderState *b = BrotliDecoderCreateInstance(NULL, NULL, NULL);

    if (b == NULL)
        return WW_DECODED_NOT;
    enum ww_decoded r = brotli_all(b, bytes, out);
    BrotliDecoderDestroyInstance(b);
    return r;
}

static enum ww_decoded zstd_all(ZSTD_DStream *d, ww_str bytes, struct ww_buf *out)
{
    unsigned char chunk[CHUNK];
    ZSTD_inBuffer in = { .src = bytes.ptr, .size = bytes.len };

    for (;;) {
        ZSTD_outBuffer o = { .dst = chunk, .size = sizeof(chunk) };
        size_t r = ZSTD_decompressStream(d, &o, &in);
        if (ZSTD_isError(r))
            return WW_DECODED_NOT;
        if (!emit(out, chunk, o.pos))
            return WW_DECODED_CUT;
        if (in.pos == in.size && o.pos < o.size)
            return r == 0 ? WW_DECODED : WW_DECODED_CUT;
    }
}

static enum ww_decoded unzstd(ww_str bytes, struct ww_buf *out)
{
    ZSTD_DStream *d = ZSTD_createDStream();
    enum ww_decoded r = WW_DECODED_NOT;

    if (d != NULL &&
        !ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG)))
        r = zstd_all(d, bytes, out);
    ZSTD_freeDStream(d);
    return r;
}

/* ---- the field */

struct coding {
    const char *name;
    enum ww_decoded (*decode)(ww_str bytes, struct ww_buf *out);
};

static const struct coding codings[] = {
    { "gzip", gunzip }, { "x-gzip", gunzip }, { "deflate", inflate_either },
    { "br", unbrotli }, { "zstd", unzstd },
};

static const struct coding *coding_find(ww_str name)
{
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        if (ww_str_eq_nocase(name, ww_str_c(codings[i].name)))
            return &codings[i];
    }
    return NULL;
}

/* In the order in which they were applied; identity is left out. */
static bool read_codings(ww_str field, const struct coding *list[MAX_CODINGS], size_t *out_n)
{
    ww_str name;
    size_t n = 0;

    while (ww_str_cut(&field, ',', &name)) {
        name = ww_str_trim(name);
        if (name.len == 0 || ww_str_eq_nocase(name, WW_STR("identity")))
            continue;
        const struct coding *c = coding_find(name);
        if (c == NULL || n == MAX_CODINGS)
            return false;
        list[n++] = c;
    }
    *out_n = n;
    return true;
}

/* Undoes the last of n codings into `out`, or into a buffer between and then the others. A cut
 * on the way stays a cut, whatever the beginning unpacks to. */
static enum ww_decoded unwrap(const struct coding *const *list, size_t n, ww_str bytes,
                              struct ww_buf *out)
{
    struct ww_buf held[2] = { 0 };
    enum ww_decoded r = WW_DECODED;

    for (size_t left = n; left > 0 && r != WW_DECODED_NOT; left--) {
        struct ww_buf *to = left == 1 ? out : &held[left % 2];
        if (to != out) {
            ww_buf_release(to);
            ww_buf_init(to, out->max);
        }
        enum ww_decoded step = list[left - 1]->decode(bytes, to);
        if (step != WW_DECODED)
            r = step;
        bytes = ww_buf_str(to);
    }
    ww_buf_release(&held[0]);
    ww_buf_release(&held[1]);
    return r;
}

enum ww_decoded ww_content_decode(ww_str encoding, ww_str bytes, struct ww_buf *out)
{
    const struct coding *list[MAX_CODINGS];
    size_t n, before = out->len;

    if (!read_codings(encoding, list, &n))
        return WW_DECODED_NOT;
    /* Nothing was sent: a 304 or an answer to HEAD names the coding of what it does not carry.
     */
    if (n == 0 || bytes.len == 0)
        return copy(bytes, out);
    enum ww_decoded r = unwrap(list, n, bytes, out);
    if (r == WW_DECODED_NOT)
        out->len = before;
    return r;
}
