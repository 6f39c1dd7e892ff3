/* trace: masks session ids and tokens where they stand in targets, URLs and bodies. */
#include "redact.h"

/* An answer that gives out a token is small. A larger one that is packed stays as it is. */
#define MAX_PACKED   (16u << 10)
#define MAX_UNPACKED (64u << 10)

typedef bool next_id(ww_str *rest, struct ww_id *out);

/* JSON may write a slash as "\\/"; the field that carries the token later does not. */
static ww_str unescaped(struct redaction *r, ww_str value)
{
    if (value.len == 0 || memchr(value.ptr, '\\', value.len) == NULL)
        return value;
    char *plain = ww_arena_alloc(&r->x->arena, value.len);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '\\' || i + 1 == value.len || value.ptr[i + 1] != '/')
            plain[len++] = value.ptr[i];
    }
    return ww_str_n(plain, len);
}

/* The text with each id that `next` finds masked; the text itself if there is none. */
static ww_str mask_ids(struct redaction *r, ww_str text, next_id *next)
{
    struct ww_buf b;
    struct ww_id id;
    ww_str rest = text;
    const char *from = text.ptr;

    ww_buf_init(&b, SIZE_MAX);
    while (next(&rest, &id)) {
        ww_str secret = unescaped(r, id.value);
        ww_str kept =
            r->key == NULL || ww_is_masked(secret) ? secret : ww_redact_mask(r, secret);
        if (id.kind == WW_ID_TOKEN)
            ww_redact_payload(r, secret, kept);
        ww_buf_add(&b, ww_str_n(from, (size_t)(id.value.ptr - from)));
        ww_buf_add(&b, kept);
        from = id.value.ptr + id.value.len;
    }
    if (r->key != NULL && from != text.ptr) {
        ww_buf_add(&b, ww_str_n(from, (size_t)(text.ptr + text.len - from)));
        text = ww_arena_dup(&r->x->arena, ww_buf_str(&b));
    }
    ww_buf_release(&b);
    return text;
}

ww_str ww_redact_url(struct redaction *r, ww_str url)
{
    return mask_ids(r, url, ww_url_id_next);
}

/* Which forms the ids may have in a body of this type: up to two. */
static size_t forms_of(ww_str type, next_id *out[2])
{
    out[0] = ww_url_id_next;
    out[1] = ww_json_id_next;
    if (ww_str_find_nocase(type, WW_STR("json")) >= 0 ||
        ww_str_starts_nocase(type, WW_STR("text/event-stream")) ||
        ww_str_starts_nocase(type, WW_STR("text/plain")))
        return 2;
    return ww_str_starts_nocase(type, WW_STR("text/")) ||
           ww_str_find_nocase(type, WW_STR("x-www-form-urlencoded")) >= 0;
}

static ww_str mask_text(struct redaction *r, ww_str text, next_id *const form[2], size_t forms)
{
    for (size_t i = 0; i < forms; i++) {
        text = mask_ids(r, text, form[i]);
    }
    return text;
}

/* Unpacks first. If something was masked the body is kept unpacked, and its field says so. */
static void redact_packed(struct redaction *r, ww_str *encoding, struct ww_body *body,
                          next_id *const form[2], size_t forms)
{
    struct ww_buf text;

    if (body->bytes.len > MAX_PACKED || body->size > body->bytes.len)
        return;
    ww_buf_init(&text, MAX_UNPACKED);
    if (ww_content_decode(*encoding, body->bytes, &text) == WW_DECODED) {
        ww_str plain = ww_buf_str(&text), masked = mask_text(r, plain, form, forms);
        if (masked.ptr != plain.ptr) {
            *encoding = WW_STR("identity");
            *body = (struct ww_body){ .bytes = masked, .size = masked.len };
        }
    }
    ww_buf_release(&text);
}

void ww_redact_body(struct redaction *r, struct ww_fields *fields, struct ww_body *body)
{
    next_id *form[2];
    size_t forms = forms_of(ww_fields_get(fields, WW_STR("content-type")), form);

    if (forms == 0 || body->bytes.len == 0)
        return;
    for (size_t i = 0; i < fields->n; i++) {
        if (!ww_str_eq_nocase(fields->v[i].name, WW_STR("content-encoding")))
            continue;
        redact_packed(r, &fields->v[i].value, body, form, forms);
        return;
    }
    ww_str masked = mask_text(r, body->bytes, form, forms);
    body->size += masked.len - body->bytes.len;
    body->bytes = masked;
}
