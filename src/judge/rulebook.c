/* judge: the user's rules: compiled once, chosen by route, applied before anything is judged.
 */
#include "rulebook.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#define DECODED_MAX (4u << 20) /* bytes of a body that the rules are applied to */
#define ROUTE_MAX   8192       /* bytes of a method and a path */
#define ROUTES_KEPT 65536      /* paths whose rules are remembered */
#define PATTERN_MAX 4096

/* ---- one rule */

const char *ww_user_rule_token(enum ww_user_rule_kind kind)
{
    static const char *const token[WW_RULE_KINDS] = { "ignore", "skip", "probes", "allow",
                                                      "grades" };

    return token[kind];
}

static bool is_method(ww_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        if (!isupper((unsigned char)word.ptr[i]))
            return false;
    }
    return word.len > 0;
}

/* "{id}" at the front of s: its length, or 0. */
static size_t name_len(ww_str s)
{
    ptrdiff_t end = s.ptr[0] == '{' ? ww_str_find(s, WW_STR("}")) : -1;

    return end < 0 || ww_str_find(ww_str_upto(s, (size_t)end), WW_STR("/")) >= 0
               ? 0
               : (size_t)end + 1;
}

/* The path's wildcards as a pattern; all else stands for itself. */
static void add_path(struct ww_buf *out, ww_str path)
{
    while (path.len > 0) {
        size_t name = name_len(path), used = 1;
        if (ww_str_starts(path, WW_STR("**"))) {
            ww_buf_add_c(out, ".*");
            used = 2;
        } else if (path.ptr[0] == '*' || name > 0) {
            ww_buf_add_c(out, "[^/]+");
            used = name > 0 ? name : 1;
        } else {
            if (!isalnum((unsigned char)path.ptr[0]) && (unsigned char)path.ptr[0] < 0x80)
                ww_buf_add_char(out, '\\');
            ww_buf_add_char(out, path.ptr[0]);
        }
        path = ww_str_from(path, used);
    }
}

/* NULL and err if the route is not one. */
static struct ww_re *route_new(ww_str route, struct ww_err *err)
{
    ww_str path = route, method = { 0 };
    struct ww_buf pattern;

    if (ww_str_find(route, WW_STR(" ")) >= 0)
        ww_str_cut(&path, ' ', &method);
    path = ww_str_trim(path);
    if ((method.ptr != NULL && !is_method(method)) || !ww_str_starts(path, WW_STR("/")) ||
        route.len > PATTERN_MAX / 4) {
        ww_err_set(err, WW_EUSAGE,
                   "'" WW_STRF
                   "' is not a route: a path that begins with /, with * or {name} for "
                   "one segment and ** for any, and perhaps a method before it: GET /cars/{id}",
                   WW_STRV(route));
        return NULL;
    }
    ww_buf_init(&pattern, PATTERN_MAX);
    ww_buf_add_c(&pattern, "(?s)\\A");
    if (method.ptr == NULL)
        ww_buf_add_c(&pattern, "[^ ]+");
    ww_buf_add(&pattern, method);
    ww_buf_add_c(&pattern, "\\ ");
    add_path(&pattern, path);
    ww_buf_add_c(&pattern, "\\z");
    ww_buf_add_char(&pattern, '\0');
    struct ww_re *re = ww_re_new(pattern.ptr, false, err);
    ww_buf_release(&pattern);
    return re;
}

static struct ww_re *pattern_new(ww_str text, struct ww_err *err)
{
    char pattern[PATTERN_MAX];

    if (text.len >= sizeof pattern || memchr(text.ptr, '\0', text.len) != NULL) {
        ww_err_set(err, WW_EUSAGE, "the pattern is too long or has a NUL");
        return NULL;
    }
    memcpy(pattern, text.ptr, text.len);
    pattern[text.len] = '\0';
    return ww_re_new(pattern, false, err);
}

/* RFC 6901: "~1" is a slash and "~0" a tilde. False where another ~ stands. */
static bool unescape(char *segment)
{
    char *out = segment;

    for (const char *in = segment; *in != '\0'; in++) {
        if (in[0] == '~' && in[1] != '0' && in[1] != '1')
            return false;
        *out++ = in[0] == '~' ? (*++in == '0' ? '~' : '/') : *in;
    }
    *out = '\0';
    return true;
}

static int pointer_init(struct user *u, ww_str pointer, struct ww_err *err)
{
    ww_str rest = pointer, segment;

    u->pointed = true;
    if (pointer.len == 0)
        return WW_OK;
    if (pointer.ptr[0] != '/')
        return ww_err_set(err, WW_EUSAGE,
                          "'" WW_STRF "' is not a JSON pointer: it begins with /, as in "
                          "/items/*/at",
                          WW_STRV(pointer));
    ww_str_cut(&rest, '/', &segment);
    while (ww_str_cut(&rest, '/', &segment)) {
        if (u->segments == WW_POINTER_MAX)
            return ww_err_set(err, WW_EUSAGE, "the pointer has more than %d segments",
                              WW_POINTER_MAX);
        char *text = ww_xmalloc(segment.len + 1);
        memcpy(text, segment.ptr, segment.len);
        text[segment.len] = '\0';
        u->segment[u->segments++] = text;
        if (!unescape(text))
            return ww_err_set(err, WW_EUSAGE,
                              "'" WW_STRF
                              "': a ~ is written ~0 in a pointer, a / within a name "
                              "~1",
                              WW_STRV(pointer));
    }
    return WW_OK;
}

static void user_release(struct user *u)
{
    ww_re_free(u->route);
    ww_re_free(u->pattern);
    for (size_t i = 0; i < u->segments; i++) {
        free(u->segment[i]);
    }
}

static int user_init(struct user *u, const struct ww_user_rule *r, struct ww_err *err)
{
    *u = (struct user){ .is = r };
    if (r->route.ptr != NULL && (u->route = route_new(r->route, err)) == NULL)
        return WW_EUSAGE;
    if (r->pattern.ptr != NULL && (u->pattern = pattern_new(r->pattern, err)) == NULL)
        return ww_err_wrap(err, "pattern");
    return r->pointer.ptr == NULL ? WW_OK : pointer_init(u, r->pointer, err);
}

static bool captures(const struct ww_user_rule *r)
{
    for (size_t i = 0; i + 1 < r->pattern.len; i++) {
        i += r->pattern.ptr[i] == '\\';
        if (r->pattern.ptr[i] == '(' &&
            (r->pattern.ptr[i + 1] != '?' ||
             (i + 2 < r->pattern.len && memchr("P<'", r->pattern.ptr[i + 2], 3) != NULL)))
            return true;
    }
    return false;
}

static int check_parts(const struct ww_user_rule *r, struct ww_err *err)
{
    int ways = (r->pointer.ptr != NULL) + (r->member.ptr != NULL) + (r->pattern.ptr != NULL);

    switch (r->kind) {
    case WW_RULE_IGNORE:
        return ways == 1 && r->member.len < WW_NAME_MAX
                   ? WW_OK
                   : ww_err_set(
                         err, WW_EUSAGE,
                         "ignore wants one of pointer, member (under 256 bytes) and pattern");
    case WW_RULE_SKIP:
    case WW_RULE_ALLOW:
        return r->route.ptr != NULL ? WW_OK
                                    : ww_err_set(err, WW_EUSAGE, "%s wants a route",
                                                 ww_user_rule_token(r->kind));
    case WW_RULE_PROBE:
        if (r->route.ptr == NULL || r->name.len == 0 || r->name.len >= WW_NAME_MAX ||
            ways != 1 || r->member.ptr != NULL)
            return ww_err_set(err, WW_EUSAGE,
                              "a probe wants a name, a route, and one of pointer and pattern");
        return r->pattern.ptr == NULL || captures(r)
                   ? WW_OK
                   : ww_err_set(err, WW_EUSAGE,
                                "the pattern of a probe wants a ( ) around what is compared");
    case WW_RULE_GRADE:
        return r->cap >= 0 || r->fail_on >= 0
                   ? WW_OK
                   : ww_err_set(err, WW_EUSAGE, "grades wants cap or fail-on");
    case WW_RULE_KINDS:
        break;
    }
    return ww_err_set(err, WW_EUSAGE, "no such rule");
}

int ww_user_rule_check(const struct ww_user_rule *r, struct ww_err *err)
{
    struct user u;
    int status = check_parts(r, err);

    if (status == WW_OK) {
        status = user_init(&u, r, err);
        user_release(&u);
    }
    return status;
}

/* ---- all of them */

void ww_rulebook_init(struct rulebook *b, const struct ww_user_rule *rule, size_t rules)
{
    *b = (struct rulebook){ .users = rules };
    ww_arena_init(&b->arena, SIZE_MAX);
    ww_map_init(&b->set_at);
    ww_map_init(&b->route_at);
    ww_buf_init(&b->route, ROUTE_MAX);
    ww_buf_init(&b->decoded, DECODED_MAX);
    ww_buf_init(&b->body, 2 * (size_t)DECODED_MAX);
    b->user = ww_xcalloc(rules + 1, sizeof *b->user);
    for (size_t i = 0; i < rules; i++) {
        struct ww_err err = { 0 };
        if (user_init(&b->user[i], &rule[i], &err) < 0)
            assert(!"a rule that ww_user_rule_check refuses");
    }
}

void ww_rulebook_release(struct rulebook *b)
{
    for (size_t i = 0; i < b->users; i++) {
        user_release(&b->user[i]);
    }
    free(b->user);
    free(b->set);
    free(b->field);
    ww_map_release(&b->set_at);
    ww_map_release(&b->route_at);
    ww_buf_release(&b->route);
    ww_buf_release(&b->decoded);
    ww_buf_release(&b->body);
    ww_arena_release(&b->arena);
}

static uint32_t set_of(struct rulebook *b, const struct rule_set *like)
{
    ww_str key = ww_str_n((const char *)like->rule, like->rules * sizeof *like->rule);

    if (like->rules == 0)
        return WW_NO_SET;
    size_t *known = ww_map_find(&b->set_at, key);
    if (known != NULL)
        return (uint32_t)*known;
    if (b->sets == b->set_cap)
        b->set = ww_grow(b->set, b->sets + 1, &b->set_cap, sizeof *b->set);
    struct rule_set *s = &b->set[b->sets];
    s->rules = like->rules;
    s->rule = memcpy(ww_arena_alloc(&b->arena, key.len), key.ptr, key.len);
    ww_map_put(&b->set_at, ww_str_n((const char *)s->rule, key.len), b->sets, NULL);
    return (uint32_t)b->sets++;
}

static bool fits(const struct user *u, ww_str route)
{
    ww_str whole;

    return u->route == NULL || ww_re_match(u->route, route, 0, &whole, NULL);
}

/* The rules for this exchange's route that act on exchanges. */
static uint32_t rules_of(struct rulebook *b, const struct ww_exchange *x)
{
    ww_buf_clear(&b->route);
    ww_buf_add(&b->route, x->method);
    ww_buf_add_char(&b->route, ' ');
    ww_buf_add(&b->route, ww_str_upto(ww_exchange_path(x), ROUTE_MAX / 2));
    ww_str route = ww_buf_str(&b->route);
    size_t *known = ww_map_find(&b->route_at, route);
    if (known != NULL)
        return (uint32_t)*known;

    struct rule_set found = { .rule = ww_xcalloc(b->users + 1, sizeof *found.rule) };
    for (size_t i = 0; i < b->users; i++) {
        if (b->user[i].is->kind <= WW_RULE_PROBE && fits(&b->user[i], route))
            found.rule[found.rules++] = (uint32_t)i;
    }
    uint32_t set = set_of(b, &found);
    free(found.rule);
    if (b->route_at.len < ROUTES_KEPT)
        ww_map_put(&b->route_at, ww_arena_dup(&b->arena, route), set, NULL);
    return set;
}

/* ---- an exchange */

/* Fields that speak of the whole body: they say nothing of what is left of it. `rewritten`: it
 * is JSON of our own now. */
static bool of_whole_body(ww_str name, bool rewritten)
{
    static const char *const field[] = { "content-encoding", "etag",        "content-md5",
                                         "digest",           "repr-digest", "content-digest" };

    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        if (ww_str_eq_nocase(name, ww_str_c(field[i])))
            return true;
    }
    return rewritten && (ww_str_eq_nocase(name, WW_STR("last-modified")) ||
                         ww_str_eq_nocase(name, WW_STR("content-type")));
}

static void replace(struct rulebook *b, const struct ww_exchange *x, enum left left, bool cut)
{
    const struct ww_fields *f = &x->response_fields;
    struct ww_exchange *out = &b->changed;
    size_t n = 0;

    *out = *x;
    if (f->n + 1 > b->field_cap)
        b->field = ww_grow(b->field, f->n + 1, &b->field_cap, sizeof *b->field);
    for (size_t i = 0; i < f->n; i++) {
        if (!of_whole_body(f->v[i].name, left == LEFT_JSON))
            b->field[n++] = f->v[i];
    }
    if (left == LEFT_JSON)
        b->field[n++] = (struct ww_field){ WW_STR("Content-Type"), WW_STR("application/json") };
    out->response_fields = (struct ww_fields){ .v = b->field, .n = n, .cap = n };
    out->response_body = (struct ww_body){ 0 };
    if (left != LEFT_NOTHING) {
        out->response_body.bytes = ww_buf_str(&b->body);
        if (out->response_body.bytes.ptr == NULL)
            out->response_body.bytes = WW_STR("");
        out->response_body.size = out->response_body.bytes.len + cut;
    }
}

static bool is_json_meant(const struct ww_exchange *x, ww_str text)
{
    ww_str type = ww_fields_get(&x->response_fields, WW_STR("content-type"));

    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.ptr[i]) == NULL)
            return text.ptr[i] == '{' || text.ptr[i] == '[' ||
                   ww_str_find_nocase(type, WW_STR("json")) >= 0;
    }
    return false;
}

/* True where the answer is another one after the rules. */
static bool change(struct rulebook *b, const struct rule_set *set, const struct ww_exchange *x,
                   struct rule_set *touched)
{
    const struct ww_body *body = &x->response_body;
    ww_str encoding = ww_fields_get(&x->response_fields, WW_STR("content-encoding"));
    ww_str text = body->bytes;
    bool cut = x->end != WW_END_COMPLETE || body->bytes.len < body->size;
    enum ww_decoded how = WW_DECODED;

    if (body->bytes.ptr == NULL)
        return false;
    if (encoding.len > 0 && !ww_str_eq_nocase(encoding, WW_STR("identity"))) {
        ww_buf_clear(&b->decoded);
        how = ww_content_decode(encoding, body->bytes, &b->decoded);
        text = ww_buf_str(&b->decoded);
        cut = cut || how == WW_DECODED_CUT;
    }
    if (how == WW_DECODED_NOT)
        return false; /* nobody can read it, so nobody compares it */
    ww_buf_clear(&b->body);
    enum left left = ww_rulebook_body(b, set, text, cut, is_json_meant(x, text), touched);
    if (left != LEFT_AS_IS)
        replace(b, x, left, cut && left != LEFT_JSON);
    return left != LEFT_AS_IS;
}

const struct ww_exchange *ww_rulebook_apply(struct rulebook *b, const struct ww_exchange *x,
                                            uint32_t *out_set, bool *out_skipped)
{
    *out_set = WW_NO_SET;
    *out_skipped = false;
    if (b->users == 0)
        return x;
    uint32_t which = rules_of(b, x);
    if (which == WW_NO_SET)
        return x;
    struct rule_set set = b->set[which];
    for (size_t i = 0; i < set.rules; i++) {
        struct user *u = &b->user[set.rule[i]];
        if (u->is->kind == WW_RULE_SKIP && !*out_skipped) {
            *out_skipped = true;
            u->used++;
        }
    }
    if (*out_skipped)
        return x;

    struct rule_set touched = { .rule = ww_xcalloc(set.rules, sizeof *touched.rule) };
    const struct ww_exchange *seen = change(b, &set, x, &touched) ? &b->changed : x;
    for (size_t i = 0; i < touched.rules; i++) {
        b->user[touched.rule[i]].used++;
    }
    *out_set = set_of(b, &touched);
    free(touched.rule);
    return seen;
}

ww_str ww_rulebook_words(struct rulebook *b, uint32_t rule)
{
    const struct ww_user_rule *r = b->user[rule].is;
    const char *reason = r->reason.len > 0 ? ": " : "";

    if (r->kind == WW_RULE_PROBE)
        return ww_arena_printf(&b->arena,
                               "everything but \"" WW_STRF
                               "\": probed by the configuration (" WW_STRF "%s" WW_STRF ")",
                               WW_STRV(r->name), WW_STRV(r->where), reason, WW_STRV(r->reason));
    ww_str what = r->pointer.ptr != NULL  ? r->pointer
                  : r->member.ptr != NULL ? r->member
                                          : r->pattern;
    return ww_arena_printf(
        &b->arena, "%s" WW_STRF ": ignored by the configuration (" WW_STRF "%s" WW_STRF ")",
        r->member.ptr != NULL    ? "member "
        : r->pattern.ptr != NULL ? "pattern "
                                 : "",
        WW_STRV(what), WW_STRV(r->where), reason, WW_STRV(r->reason));
}

/* ---- findings */

static bool is_over(const struct ww_user_rule *r, const struct ww_verdict *v)
{
    return r->until_us != 0 && v->run.started_us >= r->until_us;
}

static void note(struct rulebook *b, struct ww_finding *f, const struct user *u,
                 const char *what)
{
    const struct ww_user_rule *r = u->is;

    f->policy =
        ww_arena_printf(&b->arena, WW_STRF "%s%s (" WW_STRF "%s" WW_STRF ")",
                        WW_STRV(f->policy), f->policy.len > 0 ? "; " : "", what,
                        WW_STRV(r->where), r->reason.len > 0 ? ": " : "", WW_STRV(r->reason));
}

static void policy(struct rulebook *b, struct ww_verdict *v, struct ww_finding *f,
                   struct user *u)
{
    const struct ww_user_rule *r = u->is;

    u->used++;
    if (r->kind == WW_RULE_ALLOW && is_over(r, v)) {
        note(b, f, u, "no longer allowed");
    } else if (r->kind == WW_RULE_ALLOW) {
        note(b, f, u, "allowed");
        f->allowed = true;
    }
    if (r->cap >= 0 && (int)f->grade > r->cap) {
        note(b, f, u, "grade capped");
        f->grade = (enum ww_grade)r->cap;
    }
    if (r->fail_on >= 0) {
        ww_str what = ww_arena_printf(&b->arena, "fails from %s on",
                                      ww_fail_on_token((enum ww_fail_on)r->fail_on));
        note(b, f, u, r->fail_on == WW_FAIL_ON_NONE ? "never fails" : what.ptr);
        f->fail_on = (enum ww_fail_on)r->fail_on;
    }
}

void ww_rulebook_findings(struct rulebook *b, struct ww_verdict *v, enum ww_fail_on fail_on)
{
    for (size_t i = 0; i < v->findings; i++) {
        struct ww_finding *f = &v->finding[i];
        f->fail_on = fail_on;
        ww_buf_clear(&b->route);
        ww_buf_add(&b->route, f->method);
        ww_buf_add_char(&b->route, ' ');
        ww_buf_add(&b->route, f->resource);
        for (size_t k = 0; k < b->users; k++) {
            struct user *u = &b->user[k];
            if (u->is->kind > WW_RULE_PROBE &&
                (u->is->guarantee < 0 || u->is->guarantee == (int)f->guarantee) &&
                fits(u, ww_buf_str(&b->route)))
                policy(b, v, f, u);
        }
    }
}

/* What the rule is about, behind the name of its list. */
static ww_str about(struct rulebook *b, const struct ww_user_rule *r)
{
    ww_str what = r->pointer.ptr != NULL   ? r->pointer
                  : r->member.ptr != NULL  ? r->member
                  : r->pattern.ptr != NULL ? r->pattern
                                           : (ww_str){ 0 };
    const char *guarantee =
        r->guarantee < 0 ? NULL : ww_guarantee_token((enum ww_guarantee)r->guarantee);
    const char *way = r->member.ptr != NULL    ? "member "
                      : r->pattern.ptr != NULL ? "pattern "
                                               : "";

    return ww_arena_printf(&b->arena, WW_STRF "%s%s" WW_STRF "%s%s%s" WW_STRF, WW_STRV(r->name),
                           r->name.ptr != NULL ? " = " : "", way, WW_STRV(what),
                           guarantee == NULL ? "" : guarantee,
                           what.ptr != NULL || guarantee != NULL ? " on " : "",
                           r->route.ptr == NULL ? "every route" : "", WW_STRV(r->route));
}

void ww_rulebook_settle(struct rulebook *b, struct ww_verdict *v)
{
    v->rules = b->users;
    v->rule = ww_arena_alloc(&b->arena, (b->users + 1) * sizeof *v->rule);
    for (size_t i = 0; i < b->users; i++) {
        v->rule[i] = (struct ww_verdict_rule){ .rule = b->user[i].is,
                                               .what = about(b, b->user[i].is),
                                               .used = b->user[i].used };
    }
}
