/* judge: bodies to views: decode, take apart, intern; and the masks that say what may differ.
 */
#include "build.h"

#include <stdlib.h>

#define DECODED_MAX (4u << 20) /* bytes of a body that are looked at */
#define RUNS_MAX    (2 * LEAVES_MAX)
#define WORD_MAX    256 /* bytes; longer ones are kept as a beginning and a hash */
#define WORD_HEAD   48
#define SMALL       32 /* what is sorted by insertion */
#define TOKENS_MAX  16 /* of one value, when its presence in a text is asked */

void ww_normal_init(struct normal *n, const struct ww_smell *smell)
{
    *n = (struct normal){ .smell = smell };
    ww_arena_init(&n->arena, SIZE_MAX);
    ww_map_init(&n->word_at);
    ww_map_init(&n->view_at);
    ww_map_init(&n->mask);
}

void ww_normal_release(struct normal *n)
{
    ww_map_release(&n->word_at);
    ww_map_release(&n->view_at);
    ww_map_release(&n->mask);
    ww_arena_release(&n->arena);
    free(n->word);
    free(n->view);
    free(n->leaf);
    free(n->value);
    free(n->run);
}

/* ---- words */

static bool read_number(ww_str s, double *out)
{
    char text[32], *end;

    if (s.len == 0 || s.len >= sizeof text ||
        (s.ptr[0] != '-' && (s.ptr[0] < '0' || s.ptr[0] > '9')))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    *out = strtod(text, &end);
    return end == text + s.len && text[1] != 'x' && text[1] != 'X';
}

static bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '_' || (unsigned char)c >= 0x80;
}

/* Takes the next run of letters and digits from the front of *rest. */
static bool next_token(ww_str *rest, ww_str *out)
{
    size_t from = 0, to;

    while (from < rest->len && !token_char(rest->ptr[from])) {
        from++;
    }
    for (to = from; to < rest->len && token_char(rest->ptr[to]); to++) {
    }
    *out = ww_str_n(rest->ptr + from, to - from);
    *rest = ww_str_from(*rest, to);
    return out->len > 0;
}

static bool only_token(ww_str text)
{
    ww_str token;

    return next_token(&text, &token) && text.len == 0 && token.ptr + token.len == text.ptr;
}

static ww_str last_segment(ww_str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/') {
        from--;
    }
    return ww_str_from(path, from);
}

static ww_str without_stars(ww_str path)
{
    while (ww_str_ends(path, WW_STR("/*"))) {
        path.len -= 2;
    }
    return path;
}

/* "metric NAME{label="x"}" */
static ww_str metric_name(ww_str path)
{
    ww_str rest = ww_str_from(path, 7), name;

    ww_str_cut(&rest, '{', &name);
    return name;
}

uint32_t ww_word(struct normal *n, ww_str text)
{
    char longer[WORD_HEAD + 2 * 8 + 4];

    if (text.len > WORD_MAX) {
        unsigned char hash[WW_HASH_BYTES];
        ww_hash(text, hash);
        memcpy(longer, text.ptr, WORD_HEAD);
        int len =
            snprintf(longer + WORD_HEAD, sizeof longer - WORD_HEAD, "~%02x%02x%02x%02x%02x%02x",
                     hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
        text = ww_str_n(longer, WORD_HEAD + (size_t)len);
    }
    size_t *known = ww_map_find(&n->word_at, text);
    if (known != NULL)
        return (uint32_t)*known;
    if (n->words == n->word_cap)
        n->word = ww_grow(n->word, n->words + 1, &n->word_cap, sizeof *n->word);

    struct word *w = &n->word[n->words];
    *w = (struct word){ .text = ww_arena_dup(&n->arena, text.ptr == NULL ? WW_STR("") : text) };
    w->is_number = read_number(w->text, &w->number);
    w->is_token = only_token(w->text);
    w->volatile_value = ww_smell_volatile_value(n->smell, w->text);
    w->probed = n->probing && ww_str_starts(w->text, WW_STR("/probe "));
    if (w->probed) {
        w->volatile_value = false;
    } else if (ww_str_starts(w->text, WW_STR("/"))) {
        w->volatile_key = ww_smell_volatile_key(n->smell, last_segment(without_stars(w->text)));
    } else if (ww_str_starts(w->text, WW_STR("after "))) {
        w->volatile_key = ww_smell_volatile_key(n->smell, ww_str_from(w->text, 6));
    } else if (ww_str_starts(w->text, WW_STR("metric "))) {
        w->volatile_key = ww_smell_volatile_key(n->smell, metric_name(w->text));
    }
    ww_map_put(&n->word_at, w->text, n->words, NULL);
    return (uint32_t)n->words++;
}

ww_str ww_word_text(const struct normal *n, uint32_t word)
{
    return word == WW_NONE ? (ww_str){ 0 } : n->word[word].text;
}

/* ---- building a view */

/* Once each: most texts of a body occur in it many times. */
static void add_value(struct build *b, uint32_t value)
{
    struct normal *n = b->n;

    if (n->word[value].in_build == n->builds)
        return;
    n->word[value].in_build = n->builds;
    if (b->view.values == n->value_cap)
        n->value =
            ww_grow(n->value, (size_t)b->view.values + 1, &n->value_cap, sizeof *n->value);
    n->value[b->view.values++] = value;
}

static void add_run(struct build *b, uint32_t token)
{
    struct normal *n = b->n;

    if (b->view.runs >= RUNS_MAX)
        return;
    if (b->view.runs == n->run_cap)
        n->run = ww_grow(n->run, (size_t)b->view.runs + 1, &n->run_cap, sizeof *n->run);
    n->run[b->view.runs++] = token;
}

void ww_build_break(struct build *b)
{
    uint32_t runs = b->view.runs;

    /* One token alone is no phrase. */
    if (runs > 0 && b->n->run[runs - 1] != WW_NONE &&
        (runs == 1 || b->n->run[runs - 2] == WW_NONE)) {
        b->view.runs--;
    } else if (runs > 0 && b->n->run[runs - 1] != WW_NONE) {
        add_run(b, WW_NONE);
    }
}

/* The word, and what it consists of. */
static void add_tokens(struct build *b, uint32_t word, ww_str text)
{
    ww_str token;

    add_value(b, word);
    if (b->n->word[word].is_token) {
        add_run(b, word);
        return;
    }
    for (size_t i = 0; i < LEAVES_MAX && next_token(&text, &token); i++) {
        uint32_t part = ww_word(b->n, token);
        add_value(b, part);
        add_run(b, part);
    }
}

void ww_build_leaf(struct build *b, ww_str path, ww_str value)
{
    if (b->view.leaves >= LEAVES_MAX) {
        b->view.cut = true;
        return;
    }
    struct normal *n = b->n;
    if (b->view.leaves == n->leaf_cap)
        n->leaf = ww_grow(n->leaf, (size_t)b->view.leaves + 1, &n->leaf_cap, sizeof *n->leaf);
    struct leaf l = { .path = ww_word(n, path), .value = ww_word(n, value) };
    n->leaf[b->view.leaves++] = l;
    add_tokens(b, l.value, value);
}

void ww_build_name(struct build *b, ww_str name)
{
    ww_build_break(b);
    add_tokens(b, ww_word(b->n, name), name);
    ww_build_break(b);
}

static int leaf_order(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;

    if (x->path != y->path)
        return x->path < y->path ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static int value_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Most bodies are small, and mostly in order: their words are as old as they are. */
static void sort_leaves(struct leaf *leaf, size_t n)
{
    if (n > SMALL) {
        qsort(leaf, n, sizeof *leaf, leaf_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct leaf l = leaf[i];
        size_t k = i;
        for (; k > 0 && leaf_order(&leaf[k - 1], &l) > 0; k--) {
            leaf[k] = leaf[k - 1];
        }
        leaf[k] = l;
    }
}

static void sort_values(uint32_t *value, size_t n)
{
    if (n > SMALL) {
        qsort(value, n, sizeof *value, value_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint32_t v = value[i];
        size_t k = i;
        for (; k > 0 && value[k - 1] > v; k--) {
            value[k] = value[k - 1];
        }
        value[k] = v;
    }
}

/* Sorts, and copies the vectors into the arena at their final size. */
static uint32_t build_done(struct build *b)
{
    struct normal *n = b->n;
    struct view v = b->view;

    if (v.leaves > 0) {
        sort_leaves(n->leaf, v.leaves);
        v.leaf = memcpy(ww_arena_alloc(&n->arena, v.leaves * sizeof *v.leaf), n->leaf,
                        v.leaves * sizeof *v.leaf);
    }
    if (v.values > 0) {
        sort_values(n->value, v.values);
        v.value = memcpy(ww_arena_alloc(&n->arena, v.values * sizeof *v.value), n->value,
                         v.values * sizeof *v.value);
    }
    ww_build_break(b);
    v.runs = b->view.runs;
    if (v.runs > 0) {
        v.run = memcpy(ww_arena_alloc(&n->arena, v.runs * sizeof *v.run), n->run,
                       v.runs * sizeof *v.run);
    }
    ww_buf_release(&b->path);
    if (n->views == n->view_cap)
        n->view = ww_grow(n->view, n->views + 1, &n->view_cap, sizeof *n->view);
    n->view[n->views] = v;
    return (uint32_t)n->views++;
}

static void build_begin(struct build *b, struct normal *n, bool cut)
{
    *b = (struct build){ .n = n, .view = { .kind = VIEW_TEXT, .cut = cut } };
    n->builds++; /* from 1 on: a new word is in no build */
    ww_buf_init(&b->path, 2 * (size_t)PATH_BYTES);
}

/* False, and the build is as it was, where it is no JSON. */
static bool build_json(struct build *b, ww_str text)
{
    bool cut = b->view.cut;

    if (ww_build_json(b, text))
        return true;
    ww_buf_release(&b->path);
    build_begin(b, b->n, cut);
    return false;
}

uint32_t ww_view_json(struct normal *n, ww_str json)
{
    struct build b;

    build_begin(&b, n, false);
    if (ww_build_json(&b, json))
        return build_done(&b);
    ww_buf_release(&b.path);
    return WW_NONE;
}

static bool is_textual(ww_str type)
{
    static const char *const part[] = { "json", "text/", "html", "xml", "javascript", "yaml" };

    if (type.len == 0)
        return true;
    if (ww_str_find_nocase(type, WW_STR("event-stream")) >= 0)
        return false;
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) {
        if (ww_str_find_nocase(type, ww_str_c(part[i])) >= 0)
            return true;
    }
    return false;
}

uint32_t ww_view_of(struct normal *n, const struct ww_fields *fields,
                    const struct ww_body *body, bool whole)
{
    ww_str encoding = ww_fields_get(fields, WW_STR("content-encoding"));
    bool cut = !whole || body->bytes.len < body->size;
    char key[WW_FINGERPRINT + 1 + 16] = { 0 };

    if (!is_textual(ww_fields_get(fields, WW_STR("content-type"))) || body->bytes.ptr == NULL)
        return WW_NONE;
    ww_map_fingerprint(&n->view_at, body->bytes, key);
    key[WW_FINGERPRINT] = cut ? 'c' : 'w';
    memcpy(key + WW_FINGERPRINT + 1, encoding.ptr == NULL ? "" : encoding.ptr,
           encoding.len < 16 ? encoding.len : 16);
    size_t *known = ww_map_find(&n->view_at, ww_str_n(key, sizeof key));
    if (known != NULL)
        return (uint32_t)*known;
    if (n->max_words > 0 && n->words >= n->max_words)
        return WW_NONE;

    struct ww_buf decoded;
    ww_str text = body->bytes;
    enum ww_decoded how = WW_DECODED;
    ww_buf_init(&decoded, DECODED_MAX);
    if (encoding.len > 0 && !ww_str_eq_nocase(encoding, WW_STR("identity"))) {
        how = ww_content_decode(encoding, body->bytes, &decoded);
        text = ww_buf_str(&decoded);
    }
    uint32_t view = WW_NONE;
    if (how != WW_DECODED_NOT) {
        struct build b;
        build_begin(&b, n, cut || how == WW_DECODED_CUT);
        if (b.view.cut || !build_json(&b, text))
            ww_build_text(&b, ww_fields_get(fields, WW_STR("content-type")), text);
        view = build_done(&b);
    }
    ww_buf_release(&decoded);
    ww_map_put(&n->view_at, ww_arena_dup(&n->arena, ww_str_n(key, sizeof key)), view, NULL);
    return view;
}

/* ---- asking a view */

static bool has_value(const struct view *v, uint32_t word)
{
    uint32_t low = 0, high = v->values;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (v->value[mid] < word) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < v->values && v->value[low] == word;
}

/* The tokens stand one behind the other somewhere. */
static bool has_phrase(const struct view *v, const uint32_t *token, size_t tokens)
{
    for (uint32_t i = 0; i + tokens <= v->runs; i++) {
        size_t k = 0;
        while (k < tokens && v->run[i + k] == token[k]) {
            k++;
        }
        if (k == tokens)
            return true;
    }
    return false;
}

bool ww_view_shows(struct normal *n, uint32_t view, uint32_t word)
{
    const struct view *v = &n->view[view];
    ww_str rest = n->word[word].text, text;
    uint32_t token[TOKENS_MAX];
    size_t tokens = 0;

    if (has_value(v, word))
        return true;
    if (n->word[word].is_token)
        return false;
    while (tokens < TOKENS_MAX && next_token(&rest, &text)) {
        size_t *known = ww_map_find(&n->word_at, text);
        if (known == NULL || !has_value(v, (uint32_t)*known))
            return false;
        token[tokens++] = (uint32_t)*known;
    }
    return tokens == 1 || (tokens > 1 && has_phrase(v, token, tokens));
}

uint32_t ww_view_place(const struct normal *n, uint32_t view, uint32_t word)
{
    const struct view *v = &n->view[view];

    for (uint32_t i = 0; i < v->leaves; i++) {
        if (v->leaf[i].value == word)
            return v->leaf[i].path;
    }
    return WW_NONE;
}

uint32_t ww_view_first(const struct normal *n, uint32_t view, uint32_t path)
{
    const struct view *v = &n->view[view];
    uint32_t low = 0, high = v->leaves;

    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (v->leaf[mid].path < path) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

bool ww_view_same(const struct normal *n, uint32_t a, uint32_t b)
{
    if (a == b || a == WW_NONE || b == WW_NONE)
        return a == b;
    const struct view *x = &n->view[a], *y = &n->view[b];
    return x->leaves == y->leaves &&
           (x->leaves == 0 || memcmp(x->leaf, y->leaf, x->leaves * sizeof *x->leaf) == 0);
}

void ww_view_diff(const struct normal *n, uint32_t a, uint32_t b,
                  void (*visit)(void *ctx, struct leaf l, bool in_a), void *ctx)
{
    const struct view *x = &n->view[a], *y = &n->view[b];

    for (uint32_t i = 0, k = 0; a != b && (i < x->leaves || k < y->leaves);) {
        int order = i == x->leaves   ? 1
                    : k == y->leaves ? -1
                                     : leaf_order(&x->leaf[i], &y->leaf[k]);
        if (order < 0) {
            visit(ctx, x->leaf[i], true);
        } else if (order > 0) {
            visit(ctx, y->leaf[k], false);
        }
        i += order <= 0;
        k += order >= 0;
    }
}

/* ---- masks */

/* What is known of a place: bits. */
enum { CAME = 1, WENT = 2 };

static size_t *mask_at(const struct normal *n, uint32_t scope, uint32_t path)
{
    uint32_t key[2] = { scope, path };

    return ww_map_find(&n->mask, ww_str_n((const char *)key, sizeof key));
}

bool ww_mask_learned(const struct normal *n, uint32_t scope, uint32_t path)
{
    return mask_at(n, scope, path) != NULL;
}

bool ww_mask_replaced(const struct normal *n, uint32_t scope, uint32_t path)
{
    size_t *mask = mask_at(n, scope, path);

    return mask != NULL && *mask == (CAME | WENT);
}

bool ww_view_number(const struct normal *n, uint32_t view, uint32_t path, double *out)
{
    const struct view *v = &n->view[view];
    bool found = false;

    for (uint32_t i = ww_view_first(n, view, path); i < v->leaves && v->leaf[i].path == path;
         i++) {
        const struct word *w = &n->word[v->leaf[i].value];
        if (w->is_number ? found : v->kind == VIEW_JSON)
            return false; /* a list of thousands is asked for each of them */
        if (w->is_number)
            *out = w->number;
        found = found || w->is_number;
    }
    return found;
}

bool ww_leaf_masked(const struct normal *n, uint32_t scope, struct leaf l)
{
    return (n->word[l.value].volatile_value && !n->word[l.path].probed) ||
           n->word[l.path].volatile_key || ww_mask_learned(n, scope, l.path);
}

struct learn {
    struct normal *n;
    uint32_t scope;
};

static void learn_leaf(void *ctx, struct leaf l, bool in_a)
{
    struct learn *learn = ctx;
    uint32_t key[2] = { learn->scope, l.path };
    size_t *mask = mask_at(learn->n, learn->scope, l.path);

    if (mask == NULL) {
        ww_str kept = ww_arena_dup(&learn->n->arena, ww_str_n((const char *)key, sizeof key));
        mask = ww_map_put(&learn->n->mask, kept, 0, NULL);
    }
    *mask |= in_a ? WENT : CAME;
}

void ww_mask_learn(struct normal *n, uint32_t scope, uint32_t a, uint32_t b)
{
    struct learn learn = { .n = n, .scope = scope };

    ww_view_diff(n, a, b, learn_leaf, &learn);
}

/* ---- forms */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

ww_str ww_form_decode(struct normal *n, ww_str s)
{
    char *out = ww_arena_alloc(&n->arena, s.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%' && i + 2 < s.len && hex_digit(s.ptr[i + 1]) >= 0 &&
            hex_digit(s.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(s.ptr[i + 1]) * 16 + hex_digit(s.ptr[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[len++] = c;
    }
    return ww_str_n(out, len);
}
