/* wire: HTTP messages as the two ends of a script read them: a reader apart from src/http. */
#ifndef WW_WIRE_MESSAGE_H
#define WW_WIRE_MESSAGE_H

#include <whichworker/buf.h>

enum message_kind {
    MESSAGE_REQUEST,
    MESSAGE_RESPONSE,
    MESSAGE_BARE /* a response that has no body whatever it says: to HEAD */
};

enum message_state {
    MESSAGE_NONE,    /* no whole head yet */
    MESSAGE_PARTIAL, /* a head, and a beginning of its body */
    MESSAGE_WHOLE,
    MESSAGE_BROKEN /* no such thing may ever be written by the proxy; why says more */
};

/* Owns body; head borrows the bytes that it was read from. */
struct message {
    ww_str head; /* start line and field lines, each with its CR LF */
    struct ww_buf body;
    size_t used; /* bytes that belong to it, if it is whole */
    const char *why;
};

/* ended: nothing follows the bytes, and that end is a proper one. Release m in any case. */
enum message_state message_read(struct message *m, enum message_kind kind, ww_str bytes,
                                bool ended);
void message_release(struct message *m);

/* Whether a line "name: value" is there; with no ": " in it, whether the name is. */
bool message_has(const struct message *m, ww_str line);
ww_str message_start_line(const struct message *m);

#endif
