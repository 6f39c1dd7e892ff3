/* Session ids and tokens outside of cookies: which fields, names and values are some. */
#include <whichworker/http.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

#define UUID "0b6f2f0e-9e0a-4a53-8f1c-2f3d5d2b7a11"
#define SIO  "lv_VI97HAXpY6yYWAAAC"
#define MASK "mac:0123456789abcdef01234567"

/* "name=value name=value": what `next` finds, in order. */
static void finds(bool (*next)(ww_str *, struct ww_id *), const char *text, const char *want)
{
    ww_str rest = ww_str_c(text);
    struct ww_id id;
    char got[1024] = "";
    size_t n = 0;

    while (next(&rest, &id))
        n += (size_t)snprintf(got + n, sizeof got - n, "%s" WW_STRF "=" WW_STRF "%s",
                              n > 0 ? " " : "", WW_STRV(id.name), WW_STRV(id.value),
                              id.kind == WW_ID_TOKEN ? "!" : "");
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s, not %s", text, got, want);
}

static void ids_in_urls(void **state)
{
    finds(ww_url_id_next, "/socket.io/?EIO=4&sid=" SIO "&t=1", "sid=" SIO);
    finds(ww_url_id_next, "/messages/?session_id=" UUID, "session_id=" UUID);
    finds(ww_url_id_next, "/messages?sessionId=" UUID "#x", "sessionId=" UUID);
    finds(ww_url_id_next, "/cart;jsessionid=0A1B2C3D4E5F60718293A4B5C6D7E8F9?a=b",
          "jsessionid=0A1B2C3D4E5F60718293A4B5C6D7E8F9");
    finds(ww_url_id_next, "/a?access_token=abcdefgh&sid=" MASK,
          "access_token=abcdefgh! sid=" MASK);
    finds(ww_url_id_next, "data: /messages/?session_id=" UUID "\r\n\r\n", "session_id=" UUID);
    finds(ww_url_id_next, "session_id=" UUID "&text=hi", "session_id=" UUID);
    finds(ww_url_id_next, "<a href=\"/x?a=1&amp;sid=" SIO "\">", "sid=" SIO);
}

static void what_counts_or_can_be_guessed_is_no_id(void **state)
{
    finds(ww_url_id_next, "/students?sid=3&session_id=17", "");
    finds(ww_url_id_next, "/talks?session_id=keynote", "");
    finds(ww_url_id_next, "/a?sid=1234567890123456789", "");
    finds(ww_url_id_next, "/a?sid=averyverylongword", "");
    finds(ww_url_id_next, "/a?inside=" UUID "&sid", "");
    finds(ww_url_id_next, "/a?thesid=" UUID "&x.sid=" UUID, "");
    finds(ww_url_id_next, "", "");
    finds(ww_url_id_next, "=", "");
}

static void ids_in_json(void **state)
{
    finds(ww_json_id_next, "0{\"sid\":\"" SIO "\",\"upgrades\":[\"websocket\"]}", "sid=" SIO);
    finds(ww_json_id_next,
          "{\"a\": {\"accessToken\" : \"abc.def.ghi\"}, \"refresh_token\":\"12345678\"}",
          "accessToken=abc.def.ghi! refresh_token=12345678!");
    finds(ww_json_id_next, "{\"session_id\":\"" UUID, "session_id=" UUID);
    finds(ww_json_id_next, "{\"token\":\"ab\\/cdefghijklmn0pq\",\"jwt\":\"abcdefgh\"}",
          "token=ab\\/cdefghijklmn0pq! jwt=abcdefgh!");
}

static void what_json_has_beside_them_is_no_id(void **state)
{
    finds(ww_json_id_next, "{\"token\":\"hello\",\"sid\":3,\"session_id\":null,\"jwt\":\"\"}",
          "");
    finds(ww_json_id_next, "{\"text\":\"token: " UUID "\",\"csrf_token\":\"" UUID "\"}", "");
    finds(ww_json_id_next, "[\"sid\",\"" UUID "\"]", "");
    finds(ww_json_id_next, "\"jwt\":", "");
    finds(ww_json_id_next, "\":\":\":\"", "");
    finds(ww_json_id_next, ":", "");
}

/* Whatever is cut off: nothing is read behind the end (valgrind, ASan), and no id is longer. */
static void every_beginning_is_safe(void **state)
{
    static const char text[] = "{\"sid\" : \"" SIO "\", \"x\":\"?sid=" UUID "\", \"jwt\":\"a\\";

    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = ww_xmalloc(n);
        memcpy(copy, text, n);
        ww_str url = ww_str_n(copy, n), json = url;
        struct ww_id id;
        while (ww_url_id_next(&url, &id))
            assert_true(id.value.ptr + id.value.len <= copy + n);
        while (ww_json_id_next(&json, &id))
            assert_true(id.value.ptr + id.value.len <= copy + n);
        free(copy);
    }
}

static void fields_that_carry_a_session(void **state)
{
    static const char *const yes[] = {
        "Mcp-Session-Id",  "mcp-session-id", "X-Session-ID",  "X-SessionId",      "X-Session",
        "X-Session-Token", "Session-Id",     "X-Session-Key", "X-Shop-Session-Id"
    };
    static const char *const no[] = { "X-Session-Timeout", "Session",
                                      "X-Session-Count",   "X-Obsession-Id",
                                      "X-Session-Id-Hint", "" };

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(ww_field_is_session(ww_str_c(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(ww_field_is_session(ww_str_c(no[i])));
}

static void masks_are_known_by_their_form(void **state)
{
    assert_true(ww_is_masked(WW_STR(MASK)));
    assert_false(ww_is_masked(WW_STR("mac:0123456789abcdef0123456")));
    assert_false(ww_is_masked(WW_STR("mac:0123456789ABCDEF01234567")));
    assert_false(ww_is_masked(WW_STR("mad:0123456789abcdef01234567")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_in_urls),
        cmocka_unit_test(what_counts_or_can_be_guessed_is_no_id),
        cmocka_unit_test(ids_in_json),
        cmocka_unit_test(what_json_has_beside_them_is_no_id),
        cmocka_unit_test(every_beginning_is_safe),
        cmocka_unit_test(fields_that_carry_a_session),
        cmocka_unit_test(masks_are_known_by_their_form),
    };

    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
