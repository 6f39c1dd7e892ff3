/* Reads one HTTP message, by the letter of RFC 9112 and nothing more lenient. */
#include "message.h"

#include <stdlib.h>

#define MAX_BODY (16u << 20)

static enum message_state broken(struct message *m, const char *why)
{
    m->why = why;
    return MESSAGE_BROKEN;
}

static bool take_line(ww_str *rest, ww_str *out_line)
{
    ptrdiff_t at = ww_str_find(*rest, WW_STR("\r\n"));

    if (at < 0)
        return false;
    *out_line = ww_str_upto(*rest, (size_t)at);
    *rest = ww_str_from(*rest, (size_t)at + 2);
    return true;
}

ww_str message_start_line(const struct message *m)
{
    ww_str rest = m->head;
    ww_str line = { 0 };

    (void)take_line(&rest, &line);
    return line;
}

/* The first value of a field and how many there are. */
static size_t find(const struct message *m, const char *name, ww_str *out_value)
{
    ww_str rest = m->head;
    ww_str line;
    size_t n = 0;

    (void)take_line(&rest, &line);
    while (take_line(&rest, &line)) {
        ww_str found;

        if (!ww_str_cut(&line, ':', &found) || !ww_str_eq_nocase(found, ww_str_c(name)))
            continue;
        if (n++ == 0)
            *out_value = ww_str_trim(line);
    }
    return n;
}

bool message_has(const struct message *m, ww_str wanted)
{
    ptrdiff_t colon = ww_str_find(wanted, WW_STR(": "));
    ww_str name = colon < 0 ? wanted : ww_str_upto(wanted, (size_t)colon);
    ww_str rest = m->head;
    ww_str line;

    (void)take_line(&rest, &line);
    while (take_line(&rest, &line)) {
        ww_str found;

        if (!ww_str_cut(&line, ':', &found) || !ww_str_eq_nocase(found, name))
            continue;
        if (colon < 0 || ww_str_eq(ww_str_trim(line), ww_str_from(wanted, (size_t)colon + 2)))
            return true;
    }
    return false;
}

/* Every line has a name, a colon right behind it and no control characters. */
static bool lines_are_proper(const struct message *m)
{
    ww_str rest = m->head;
    ww_str line;

    if (!take_line(&rest, &line) || line.len == 0)
        return false;
    for (size_t i = 0; i < m->head.len; i++) {
        char c = m->head.ptr[i];

        if ((c == '\r') != (i + 1 < m->head.len && m->head.ptr[i + 1] == '\n') || c == '\0')
            return false;
    }
    while (take_line(&rest, &line)) {
        ww_str name;

        if (!ww_str_cut(&line, ':', &name) || line.ptr == NULL || name.len == 0 ||
            ww_str_find(name, WW_STR(" ")) >= 0)
            return false;
    }
    return true;
}

static bool hex(ww_str s, size_t *out_value)
{
    char text[16];
    char *end;

    if (s.len == 0 || s.len >= sizeof(text) || strchr("+- ", s.ptr[0]) != NULL)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *out_value = (size_t)strtoul(text, &end, 16);
    return *end == '\0';
}

static enum message_state read_chunks(struct message *m, ww_str rest)
{
    const char *begin = rest.ptr;

    for (;;) {
        ww_str line;
        size_t size;

        if (!take_line(&rest, &line))
            return MESSAGE_PARTIAL;
        if (!hex(line, &size))
            return broken(m, "a chunk's size is not a hexadecimal number");
        if (size == 0)
            break;
        ww_buf_add(&m->body, ww_str_upto(rest, size));
        if (rest.len < size + 2)
            return MESSAGE_PARTIAL;
        if (memcmp(rest.ptr + size, "\r\n", 2) != 0)
            return broken(m, "a chunk does not end in CR LF");
        rest = ww_str_from(rest, size + 2);
    }
    if (rest.len < 2)
        return MESSAGE_PARTIAL;
    if (memcmp(rest.ptr, "\r\n", 2) != 0)
        return broken(m, "there are trailers");
    m->used += (size_t)(rest.ptr + 2 - begin);
    return MESSAGE_WHOLE;
}

static enum message_state read_length(struct message *m, ww_str rest, uint64_t length)
{
    ww_buf_add(&m->body, ww_str_upto(rest, (size_t)length));
    if (rest.len < length)
        return MESSAGE_PARTIAL;
    m->used += (size_t)length;
    return MESSAGE_WHOLE;
}

static bool says_no_body(const struct message *m)
{
    ww_str status = ww_str_upto(ww_str_from(message_start_line(m), strlen("HTTP/1.1 ")), 3);

    return ww_str_starts(status, WW_STR("1")) || ww_str_eq(status, WW_STR("204")) ||
           ww_str_eq(status, WW_STR("304"));
}

enum message_state message_read(struct message *m, enum message_kind kind, ww_str bytes,
                                bool ended)
{
    ptrdiff_t end = ww_str_find(bytes, WW_STR("\r\n\r\n"));
    ww_str coding = { 0 };
    ww_str digits = { 0 };
    uint64_t length = 0;

    *m = (struct message){ .why = "" };
    ww_buf_init(&m->body, MAX_BODY);
    if (end < 0)
        return MESSAGE_NONE;
    m->head = ww_str_upto(bytes, (size_t)end + 2);
    m->used = (size_t)end + 4;
    if (!lines_are_proper(m))
        return broken(m, "a line of the head is malformed");

    size_t codings = find(m, "Transfer-Encoding", &coding);
    size_t lengths = find(m, "Content-Length", &digits);
    ww_str rest = ww_str_from(bytes, m->used);

    if (codings + lengths > 1)
        return broken(m, "its framing is said twice");
    if (codings == 1 && !ww_str_eq(coding, WW_STR("chunked")))
        return broken(m, "an unknown transfer coding");
    if (lengths == 1 && !ww_str_u64(digits, &length))
        return broken(m, "Content-Length is not a number");
    if (kind == MESSAGE_BARE || (kind == MESSAGE_RESPONSE && says_no_body(m)))
        return MESSAGE_WHOLE;
    if (codings == 1)
        return read_chunks(m, rest);
    if (lengths == 1 || kind == MESSAGE_REQUEST)
        return read_length(m, rest, length);
    ww_buf_add(&m->body, rest);
    m->used = bytes.len;
    return ended ? MESSAGE_WHOLE : MESSAGE_PARTIAL;
}

void message_release(struct message *m)
{
    ww_buf_release(&m->body);
}
