/* Sessions: cookie lineage is a tree, then Authorization, then the client; values are opaque.
 */
#include <whichworker/judge.h>

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>

struct ask {
    uint64_t connection;
    const char *client, *agent, *auth, *cookie, *set, *set2;
};

static size_t session_of(struct ww_sessions *s, struct ask a)
{
    struct ww_exchange *x = ww_exchange_new(1 << 16);

    x->connection = a.connection;
    x->client = ww_str_c(a.client == NULL ? "127.0.0.1" : a.client);
    x->method = WW_STR("GET");
    x->target = WW_STR("/");
    x->ended_us = 1700000000 * (int64_t)1000000;
    ww_fields_add(&x->request_fields, &x->arena, WW_STR("user-agent"),
                  ww_str_c(a.agent == NULL ? "test" : a.agent));
    if (a.auth != NULL)
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Authorization"), ww_str_c(a.auth));
    if (a.cookie != NULL)
        ww_fields_add(&x->request_fields, &x->arena, WW_STR("Cookie"), ww_str_c(a.cookie));
    if (a.set != NULL)
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"), ww_str_c(a.set));
    if (a.set2 != NULL)
        ww_fields_add(&x->response_fields, &x->arena, WW_STR("Set-Cookie"), ww_str_c(a.set2));
    size_t session = ww_sessions_assign(s, x);
    ww_exchange_free(x);
    return session;
}

#define ASK(...) session_of(s, (struct ask){ __VA_ARGS__ })

static int begin(void **state)
{
    *state = ww_sessions_new(NULL);
    return 0;
}

static int end(void **state)
{
    ww_sessions_free(*state);
    return 0;
}

static void the_request_that_caused_the_cookie_is_in_the_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.set = "session=mac:1; Path=/");

    assert_int_equal(ASK(.cookie = "session=mac:1"), a);
    assert_int_equal(ww_sessions_key(s, a)->kind, WW_KEY_COOKIE);
    assert_true(ww_str_eq(ww_sessions_key(s, a)->name, WW_STR("session")));
    assert_false(ww_sessions_key(s, a)->weak);
}

static void a_replaced_value_is_the_same_session_and_the_old_one_too(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.set = "session=mac:1");

    assert_int_equal(ASK(.cookie = "session=mac:1", .set = "session=mac:2"), a);
    assert_int_equal(ASK(.cookie = "session=mac:2", .set = "session=mac:3"), a);
    assert_int_equal(ASK(.cookie = "session=mac:1"), a);
    assert_int_equal(ASK(.cookie = "theme=dark; session=mac:3"), a);
}

static void one_basic_auth_with_two_jars_is_two_sessions(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.auth = "Basic mac:u", .set = "session=mac:1");
    size_t b = ASK(.auth = "Basic mac:u", .set = "session=mac:2");

    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.auth = "Basic mac:u", .cookie = "session=mac:2"), b);
    assert_int_equal(ASK(.auth = "Basic mac:u", .cookie = "session=mac:1"), a);
}

static void without_a_cookie_the_authorization_is_the_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.auth = "Basic mac:u");

    assert_int_equal(ASK(.auth = "Basic mac:u", .agent = "other"), a);
    assert_int_not_equal(ASK(.auth = "Basic mac:v"), a);
    assert_int_equal(ww_sessions_key(s, a)->kind, WW_KEY_AUTHORIZATION);
    assert_true(ww_str_eq(ww_sessions_key(s, a)->value, WW_STR("Basic mac:u")));
}

static void an_address_is_weak_unless_it_is_this_machine(void **state)
{
    struct ww_sessions *s = *state;
    size_t near = ASK(.client = "::1"), far = ASK(.client = "10.0.0.7");

    assert_int_not_equal(near, far);
    assert_int_not_equal(ASK(.client = "10.0.0.7", .agent = "other"), far);
    assert_false(ww_sessions_key(s, near)->weak);
    assert_true(ww_sessions_key(s, far)->weak);
    assert_int_equal(ww_sessions_key(s, far)->kind, WW_KEY_CLIENT);
}

static void analytics_and_csrf_cookies_are_no_sessions(void **state)
{
    struct ww_sessions *s = *state;
    static const char *const name[] = { "_ga",   "_gid",   "csrftoken",   "XSRF-TOKEN",
                                        "theme", "locale", "_csrf_token", "__utma" };
    size_t a = ASK(.agent = "browser");

    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char cookie[64];
        snprintf(cookie, sizeof cookie, "%s=mac:%zu", name[i], i);
        assert_int_equal(ASK(.agent = "browser", .cookie = cookie, .set = cookie), a);
    }
}

static void well_known_cookies_are_sessions(void **state)
{
    struct ww_sessions *s = *state;
    static const char *const name[] = {
        "session",       "sessionid",         "connect.sid",      "PHPSESSID",
        "JSESSIONID",    "ASP.NET_SessionId", ".AspNetCore.Cook", "laravel_session",
        "_shop_session", "auth_token",        "my-sess",          "jwt"
    };

    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char cookie[64];
        snprintf(cookie, sizeof cookie, "%s=mac:%zu", name[i], i);
        size_t a = ASK(.set = cookie);
        assert_int_equal(a, i);
        assert_int_equal(ASK(.cookie = cookie), a);
    }
}

static void a_cleared_cookie_begins_no_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.agent = "x");

    assert_int_equal(ASK(.agent = "x", .set = "session=; Max-Age=0"), a);
    assert_int_equal(ASK(.agent = "x", .cookie = "session="), a);
}

static void a_cookie_from_before_the_trace_begins_a_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.cookie = "session=mac:old");

    assert_int_equal(ASK(.cookie = "session=mac:old", .set = "session=mac:new"), a);
    assert_int_equal(ASK(.cookie = "session=mac:new"), a);
}

static void an_equal_value_of_two_clients_is_told_apart_by_connection(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 1, .set = "session=mac:same");
    size_t b = ASK(.connection = 2, .set = "session=mac:same");

    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.connection = 1, .cookie = "session=mac:same"), a);
    assert_int_equal(ASK(.connection = 2, .cookie = "session=mac:same", .set = "session=mac:b"),
                     b);
    assert_int_equal(ASK(.connection = 9, .cookie = "session=mac:same"), a);
    assert_false(ww_sessions_key(s, a)->weak);
    assert_false(ww_sessions_key(s, b)->weak);
}

static void an_equal_value_that_nothing_tells_apart_makes_both_weak(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 1, .set = "session=mac:same");
    size_t b = ASK(.connection = 2, .set = "session=mac:same");

    assert_int_equal(ASK(.connection = 3, .cookie = "session=mac:same"), b);
    assert_true(ww_sessions_key(s, a)->weak);
    assert_true(ww_sessions_key(s, b)->weak);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_request_that_caused_the_cookie_is_in_the_session),
        TEST(a_replaced_value_is_the_same_session_and_the_old_one_too),
        TEST(one_basic_auth_with_two_jars_is_two_sessions),
        TEST(without_a_cookie_the_authorization_is_the_session),
        TEST(an_address_is_weak_unless_it_is_this_machine),
        TEST(analytics_and_csrf_cookies_are_no_sessions),
        TEST(well_known_cookies_are_sessions),
        TEST(a_cleared_cookie_begins_no_session),
        TEST(a_cookie_from_before_the_trace_begins_a_session),
        TEST(an_equal_value_of_two_clients_is_told_apart_by_connection),
        TEST(an_equal_value_that_nothing_tells_apart_makes_both_weak),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
