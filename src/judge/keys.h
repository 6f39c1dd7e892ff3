/* judge: which workers are known to sign cookies and tokens with different keys. */
#ifndef WW_KEYS_H
#define WW_KEYS_H

#include "model.h"

/*
 * Where the same content was signed by two workers and the values differ, only the key can
 * differ: the signatures that ww_payload.content stands for are a function of content and key.
 * A cookie of the one is then refused by the other, whatever else this trace shows or does not
 * show.
 */
struct keys {
    struct signer { /* the first value that a worker made of a content */
        size_t worker;
        uint32_t pair;
        size_t next; /* of the same content, or WW_NONE */
    } * signer;
    size_t signers, cap;
    struct ww_map content; /* (cookie, content): the first of its signers */
    struct ww_map differ;  /* (cookie, worker, worker) */
    struct ww_map fickle;  /* cookies of which one worker signed one content in two ways */
    struct ww_arena arena; /* the maps' keys */
};

/* The name under which tokens stand that an answer's body gives out. */
#define TOKEN_NAME "bearer token"

/* Of all steps of the model. */
struct keys *ww_keys_new(const struct model *m);
void ww_keys_free(struct keys *k); /* NULL is fine */

WW_MUST bool ww_keys_differ(const struct keys *k, uint32_t cookie, size_t worker_a,
                            size_t worker_b);

#endif
