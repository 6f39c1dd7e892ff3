/* trace: why an exchange ended: one table for HTTP status, token and sentence. */
#ifndef WHICHWORKER_END_H
#define WHICHWORKER_END_H

#include <whichworker/str.h>

/* clang-format off */
#define WW_END_MAP(X) /* id, status that the client gets from us (0: none), token, sentence */                   \
    X(COMPLETE,            0, "complete",            "the response was forwarded in full")                       \
    X(CLIENT_GONE,         0, "client-gone",         "the client closed before the response ended")              \
    X(CLIENT_CUT,          0, "client-cut",          "the client stopped in the middle of its request")          \
    X(CLIENT_STALLED,      0, "client-stalled",      "the client did not read or write for --idle-timeout")      \
    X(BAD_REQUEST,       400, "bad-request",         "the request is malformed or could be read in two ways")    \
    X(HEADER_TIMEOUT,    408, "header-timeout",      "the request head took longer than --header-timeout")       \
    X(BODY_TOO_LARGE,    413, "body-too-large",      "the request body is over --max-body")                      \
    X(EXPECTATION,       417, "expectation",         "the request expects something other than 100-continue")    \
    X(HEAD_TOO_LARGE,    431, "head-too-large",      "the request head is over --max-head")                      \
    X(NOT_PROXIED,       501, "not-proxied",         "CONNECT is not something that a reverse proxy forwards")   \
    X(UPSTREAM_REFUSED,  502, "upstream-refused",    "the upstream did not accept the connection")               \
    X(UPSTREAM_CLOSED,   502, "upstream-closed",     "the upstream closed without a response")                   \
    X(UPSTREAM_BAD,      502, "upstream-bad",        "the upstream's response is malformed")                     \
    X(UPSTREAM_CUT,        0, "upstream-cut",        "the upstream died in the middle of its response")          \
    X(CONNECT_TIMEOUT,   504, "connect-timeout",     "the upstream took longer than --connect-timeout to connect") \
    X(RESPONSE_TIMEOUT,  504, "response-timeout",    "the upstream said nothing for --response-timeout")         \
    X(RESPONSE_STALLED,    0, "response-stalled",    "the upstream fell silent in the middle of its response")   \
    X(TUNNEL_IDLE,         0, "tunnel-idle",         "nothing went through the tunnel for --tunnel-timeout")     \
    X(PROXY_STOPPED,     503, "proxy-stopped",       "the proxy was stopped before the exchange had ended")
/* clang-format on */

enum ww_end {
#define WW_END_ENUM(id, status, token, sentence) WW_END_##id,
    WW_END_MAP(WW_END_ENUM)
#undef WW_END_ENUM
        WW_ENDS
};

unsigned ww_end_status(enum ww_end end);
const char *ww_end_token(enum ww_end end);
const char *ww_end_sentence(enum ww_end end);

/* The end with this token; WW_ENDS if there is none. */
enum ww_end ww_end_find(ww_str token);

#endif
