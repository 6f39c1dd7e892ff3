/* judge: who was given which identity; bounded if asked for. */
#ifndef WW_HOLDERS_H
#define WW_HOLDERS_H

#include <whichworker/judge.h>
#include <whichworker/map.h>

/* Names are told apart by what they are names of. */
enum space {
    SPACE_COOKIE = 'c',
    SPACE_HEADER = 'h', /* names without case */
    SPACE_QUERY = 'q',
    SPACE_CONFIGURED = 'p', /* path parameters and patterns */
    SPACE_AUTHORIZATION = 'a',
    SPACE_CLIENT = 'k',
    SPACE_GIFT = 'g' /* given out in an answer's body: whatever will carry it */
};

/* Something by which a session can be known. Borrows. */
struct identity {
    enum space space;
    enum ww_key_kind kind; /* of a session that begins with it */
    ww_str name;
    ww_str value;
};

/*
 * That a session was given an identity, or came with it. A signed cookie is made of payload,
 * second and key: two clients that begin in the same second get the same value. So an identity
 * has many holders, and only those that were given no newer one of that name since are `live`.
 */
struct holder {
    struct holder *older, *newer;           /* of the same identity */
    struct holder *older_mine, *newer_mine; /* of the same session */
    uint32_t slot;
    uint32_t key_bytes;
    uint16_t name_bytes;
    bool live;
    bool given;      /* a response gave it out */
    bool certain;    /* of a gift: it is the session's, whoever carries it */
    uint64_t answer; /* of a gift: the number of the exchange */
    char key[];
};

struct session {
    struct ww_session_key key; /* its texts are one block, owned */
    uint64_t connection;       /* the client's, at the last exchange; 0: unknown or shared */
    bool one_connection;       /* all exchanges were on it */
    bool by_gift;              /* known by what an answer gave out */
    bool got_token;            /* some answer gave it a token */
    char origin[48];           /* the first client's address */
    struct holder *oldest, *newest;
    size_t holders;
    uint32_t older, newer; /* by use; NO_SLOT: none */
};

#define NO_SLOT UINT32_MAX

/* Owns all. */
struct holders {
    size_t max_sessions; /* 0: no limit */
    struct ww_buf scratch;
    struct ww_map at; /* identity: its newest holder, as a number */
    struct session *session;
    size_t sessions, cap;
    uint64_t ever; /* sessions, forgotten ones too */
    uint32_t oldest, newest;
};

void ww_holders_init(struct holders *h, size_t max_sessions);
void ww_holders_release(struct holders *h);

/* A new session, known under id; it holds nothing yet. Forgets another one if there are too
 * many.
 */
uint32_t ww_holders_begin(struct holders *h, const struct identity *id, bool weak);

/* The session is known under id from now on. */
void ww_holders_rename(struct holders *h, uint32_t slot, const struct identity *id, bool weak);

/* It was used: the last to be forgotten. */
void ww_holders_touch(struct holders *h, uint32_t slot);

/* The session holds this identity; its earlier one of the same name is no longer live. Borrowed
 * until the session or the identity is forgotten. */
struct holder *ww_holders_hold(struct holders *h, uint32_t slot, const struct identity *id);

/* The session no longer holds anything in this space. */
void ww_holders_drop(struct holders *h, uint32_t slot, enum space space);

/* The newest holder of an identity, or NULL. */
struct holder *ww_holders_find(struct holders *h, const struct identity *id);

#endif
