/* judge: bodies as comparable views: interned words at places, and what of them may differ. */
#ifndef WW_JUDGE_NORMAL_H
#define WW_JUDGE_NORMAL_H

#include "smell.h"

#include <whichworker/exchange.h>
#include <whichworker/map.h>

#define WW_NONE UINT32_MAX /* no word, no view, no step */

/* A text that occurs in the trace, once. Long ones keep a beginning and a hash. */
struct word {
    ww_str text;
    double number;
    bool is_number;
    bool volatile_value; /* it looks like a date, an identifier, a nonce */
    bool probed;         /* as a path: the user's probe; only what is learned masks it */
    bool volatile_key;   /* as a path: its last member's name says that it changes by itself */
    bool is_token;       /* letters and digits only: it has no tokens but itself */
    uint32_t in_build;   /* the newest view under construction that has it as a value */
};

/*
 * One scalar of a body. JSON: path is "/cars/ * /name" (array positions all read "*", so that
 * order does not matter). Text: path is "after WORD", the word that stands before it; in a page
 * of metrics "metric NAME{labels}", and "type NAME".
 */
struct leaf {
    uint32_t path;
    uint32_t value;
};

enum view_kind { VIEW_JSON, VIEW_TEXT };

struct view {
    enum view_kind kind;
    bool cut;          /* there was more: absence proves nothing */
    struct leaf *leaf; /* sorted by path, then value */
    uint32_t leaves;
    uint32_t *value; /* sorted: every scalar, member name and token in it, for presence */
    uint32_t values;
    uint32_t *run; /* tokens in their order, WW_NONE where a text ends: for phrases */
    uint32_t runs;
};

struct normal {
    struct ww_arena arena;
    const struct ww_smell *smell; /* borrowed */
    bool probing;                 /* the user has probes */
    size_t max_words;             /* 0: any number; beyond it no new body is taken apart */
    struct ww_map word_at;
    struct word *word;
    size_t words, word_cap;
    struct ww_map view_at; /* by hash of body, so that equal bodies are one view */
    struct view *view;
    size_t views, view_cap;
    struct leaf *leaf; /* of the view under construction, and its values */
    size_t leaf_cap;
    uint32_t *value;
    size_t value_cap;
    uint32_t *run;
    size_t run_cap;
    uint32_t builds;
    struct ww_map mask; /* scope and path: learned to differ within one worker */
};

void ww_normal_init(struct normal *n, const struct ww_smell *smell);
void ww_normal_release(struct normal *n);

uint32_t ww_word(struct normal *n, ww_str text);
ww_str ww_word_text(const struct normal *n, uint32_t word);

/* The view of a message's body, or WW_NONE where nothing can be said of it. `whole`: the
 * message ended properly. */
uint32_t ww_view_of(struct normal *n, const struct ww_fields *fields,
                    const struct ww_body *body, bool whole);
uint32_t ww_view_json(struct normal *n, ww_str json);

/* Whether the view shows this word: as a scalar, or all its tokens, one behind the other, in
 * one text (a JSON string, what stands between two tags, a line). */
bool ww_view_shows(struct normal *n, uint32_t view, uint32_t word);

/* The first place that holds the word; WW_NONE if it is not a scalar of its own. */
uint32_t ww_view_place(const struct normal *n, uint32_t view, uint32_t word);

/* The first leaf at this path or behind where it would stand. */
uint32_t ww_view_first(const struct normal *n, uint32_t view, uint32_t path);

/* The only number at this path, or false. In a text a word may stand before other words, too:
 * "# TYPE visits counter", "visits 17". */
bool ww_view_number(const struct normal *n, uint32_t view, uint32_t path, double *out);

bool ww_leaf_masked(const struct normal *n, uint32_t scope, struct leaf l);

/* Two reads that one worker answered with no write between: what differs is noise in this
 * scope. */
void ww_mask_learn(struct normal *n, uint32_t scope, uint32_t a, uint32_t b);
bool ww_mask_learned(const struct normal *n, uint32_t scope, uint32_t path);

/* The same, where values gave way to others and did not only appear. */
bool ww_mask_replaced(const struct normal *n, uint32_t scope, uint32_t path);

/* Whether two views have the same leaves; either may be WW_NONE. */
bool ww_view_same(const struct normal *n, uint32_t a, uint32_t b);

/* Calls visit for each leaf that one view has and the other has not. */
void ww_view_diff(const struct normal *n, uint32_t a, uint32_t b,
                  void (*visit)(void *ctx, struct leaf l, bool in_a), void *ctx);

/* Percent- and plus-decodes into the arena. */
ww_str ww_form_decode(struct normal *n, ww_str s);

#endif
