/* http: what signed cookies say in the clear: itsdangerous and Flask, Django, JWT. */
#include "coding.h"

#include <jansson.h>

#define MAX_PAYLOAD   65536 /* bytes of JSON, unpacked */
#define MAX_STAMP     16    /* base64 or base62 digits of a timestamp; today's take 6 */
#define MIN_SIGNATURE 16    /* base64 digits; MD5's would be 22 */

/* Signers use the URL's alphabet; Starlette's session the ordinary one. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-' || c == '+')
        return 62;
    return c == '_' || c == '/' ? 63 : -1;
}

static ww_str without_padding(ww_str s)
{
    for (int i = 0; i < 2 && s.len > 0 && s.ptr[s.len - 1] == '='; i++)
        s.len--;
    return s;
}

static bool is_base64(ww_str s)
{
    s = without_padding(s);
    for (size_t i = 0; i < s.len; i++) {
        if (base64_digit(s.ptr[i]) < 0)
            return false;
    }
    return s.len > 0 && s.len % 4 != 1;
}

/* False unless s is base64 and fits. */
static bool base64_decode(ww_str s, struct ww_buf *out)
{
    unsigned bits = 0, have = 0;

    if (!is_base64(s))
        return false;
    s = without_padding(s);
    char *to = ww_buf_room(out, s.len / 4 * 3 + (s.len % 4 == 0 ? 0 : s.len % 4 - 1));
    if (to == NULL)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bits = bits << 6 | (unsigned)base64_digit(s.ptr[i]);
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        *to++ = (char)(bits >> have & 0xff);
        out->len++;
    }
    return true;
}

static bool is_json(ww_str s, bool object_only)
{
    json_t *j = json_loadb(s.ptr, s.len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    bool ok = json_is_object(j) || (!object_only && json_is_array(j));

    json_decref(j);
    return ok;
}

/* Decodes one segment to JSON in out, which is empty; a leading dot says that zlib packed it.
 */
static bool segment_json(ww_str segment, bool packed, bool object_only, struct ww_buf *out)
{
    if (!packed)
        return base64_decode(segment, out) && is_json(ww_buf_str(out), object_only);

    struct ww_buf bytes;
    ww_buf_init(&bytes, MAX_PAYLOAD);
    bool ok = base64_decode(segment, &bytes) &&
              ww_inflate_zlib(ww_buf_str(&bytes), out) == WW_DECODED &&
              is_json(ww_buf_str(out), object_only);
    ww_buf_release(&bytes);
    return ok;
}

/* Cuts value at each sep into exactly three parts. */
static bool three(ww_str value, char sep, ww_str part[3])
{
    ww_str rest = value;

    for (size_t i = 0; i < 3; i++) {
        if (!ww_str_cut(&rest, sep, &part[i]))
            return false;
    }
    return rest.ptr == NULL;
}

/* Django's is base62: the same digits, but any number of them. */
static bool is_stamp(ww_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (base64_digit(s.ptr[i]) < 0)
            return false;
    }
    return s.len > 0 && s.len <= MAX_STAMP;
}

static bool is_signature(ww_str s)
{
    return s.len >= MIN_SIGNATURE && is_base64(s);
}

/* HMAC, PKCS #1 v1.5 and Ed25519 give one signature for one content (RFC 2104, RFC 8017 8.2,
 * RFC 8032 5.1); ECDSA and RSA-PSS do not. */
static bool signs_alike(ww_str head)
{
    json_t *j = json_loadb(head.ptr, head.len, 0, NULL);
    const char *alg = json_string_value(json_object_get(j, "alg"));
    bool is = alg != NULL && (strncmp(alg, "HS", 2) == 0 || strncmp(alg, "RS", 2) == 0 ||
                              strcmp(alg, "EdDSA") == 0);

    json_decref(j);
    return is;
}

/* All before the last separator. */
static ww_str before_last(ww_str value, char sep)
{
    while (value.len > 0 && value.ptr[value.len - 1] != sep)
        value.len--;
    return ww_str_upto(value, value.len == 0 ? 0 : value.len - 1);
}

static bool read_jwt(ww_str value, struct ww_buf *out, ww_str *content)
{
    ww_str part[3];

    if (!three(value, '.', part) || (part[2].len > 0 && !is_base64(part[2])))
        return false;
    if (!segment_json(part[0], false, true, out) ||
        ww_str_find(ww_buf_str(out), WW_STR("\"alg\"")) < 0)
        return false;
    if (signs_alike(ww_buf_str(out)))
        *content = before_last(value, '.');
    ww_buf_clear(out);
    return segment_json(part[1], false, true, out);
}

/* payload SEP stamp SEP signature, with a dot in front if packed. */
static bool read_stamped(ww_str value, char sep, struct ww_buf *out, ww_str *content)
{
    ww_str part[3];
    bool packed = value.len > 0 && value.ptr[0] == '.';

    *content = before_last(value, sep);
    if (packed)
        value = ww_str_from(value, 1);
    return three(value, sep, part) && is_stamp(part[1]) && is_signature(part[2]) &&
           segment_json(part[0], packed, false, out);
}

static bool read_itsdangerous(ww_str value, struct ww_buf *out, ww_str *content)
{
    return read_stamped(value, '.', out, content);
}

static bool read_django(ww_str value, struct ww_buf *out, ww_str *content)
{
    return read_stamped(value, ':', out, content);
}

/* JWT first: its head would pass for a payload of the others. */
static const struct {
    const char *name;
    bool (*read)(ww_str value, struct ww_buf *out, ww_str *content);
} forms[] = {
    { "jwt", read_jwt },
    { "itsdangerous", read_itsdangerous },
    { "django", read_django },
};

bool ww_cookie_payload(ww_str value, struct ww_arena *a, struct ww_readable *out)
{
    struct ww_buf text;
    bool found = false;

    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = ww_str_n(value.ptr + 1, value.len - 2);
    ww_buf_init(&text, MAX_PAYLOAD);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]) && !found; i++) {
        ww_str content = { 0 };
        ww_buf_clear(&text);
        if (!forms[i].read(value, &text, &content))
            continue;
        ww_str json = ww_arena_dup(a, ww_buf_str(&text));
        if (json.ptr == NULL)
            break;
        *out = (struct ww_readable){ .json = json, .form = forms[i].name, .content = content };
        found = true;
    }
    ww_buf_release(&text);
    return found;
}
