/* Sessions: cookie lineage is a tree, then Authorization, then the client; values are opaque.
 */
#include "session.h"
#include "session_asks.h"

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
/* clang-format on */

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
    static const char *const name[] = { "_ga",
                                        "_gid",
                                        "csrftoken",
                                        "XSRF-TOKEN",
                                        "theme",
                                        "locale",
                                        "_csrf_token",
                                        "__utma",
                                        "ai_session",
                                        "_dd_s",
                                        "__stripe_sid",
                                        "_clsk",
                                        "AWSALB",
                                        "incap_ses_1_2",
                                        "user_language",
                                        "ajs_user_id",
                                        "csrf_access_token" };
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
    static const char *const name[] = { "session",
                                        "sessionid",
                                        "connect.sid",
                                        "PHPSESSID",
                                        "JSESSIONID",
                                        "ASP.NET_SessionId",
                                        ".AspNetCore.Cook",
                                        "laravel_session",
                                        "_shop_session",
                                        "auth_token",
                                        "my-sess",
                                        "jwt",
                                        "SESSION",
                                        "rack.session",
                                        "ci_session",
                                        "express:sess",
                                        "remember_user_token",
                                        "__Host-session",
                                        "__Secure-next-auth.session-token",
                                        "access_token_cookie",
                                        "CAKEPHP",
                                        "PLAY_SESSION",
                                        "JSESSIONIDSSO",
                                        "cart_id",
                                        "visitor-id",
                                        "userId",
                                        "uid" };

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

static enum ww_key_kind kind_of(struct ww_sessions *s, size_t session)
{
    return ww_sessions_key(s, session)->kind;
}

static bool is_named(struct ww_sessions *s, size_t session, const char *name, const char *value)
{
    const struct ww_session_key *key = ww_sessions_key(s, session);

    return ww_str_eq(key->name, ww_str_c(name)) && ww_str_eq(key->value, ww_str_c(value));
}

/* "user=guest" may be everybody: it holds a session together only where nothing better does. */
static void a_name_comes_after_a_session_and_goes_on_with_it(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 1, .set = "cart_id=mac:1");

    assert_int_equal(ASK(.connection = 2, .cookie = "cart_id=mac:1"), a);
    assert_int_equal(ASK(.connection = 3, .cookie = "cart_id=mac:1", .set = "session=mac:2"),
                     a);
    assert_true(is_named(s, a, "session", "mac:2"));
    assert_int_equal(ASK(.connection = 4, .cookie = "cart_id=mac:9; session=mac:2"), a);
    size_t b = ASK(.connection = 5, .cookie = "cart_id=mac:1; session=mac:7");
    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.connection = 6, .cookie = "session=mac:2"), a);
    assert_false(ww_sessions_key(s, a)->weak);
}

/* ---- fields, query fields, path parameters */

#define ID1 "mac:0123456789abcdef01234567"
#define ID2 "mac:123456789abcdef012345670"
#define ID3 "mac:23456789abcdef0123456701"

static void what_initialize_gives_out_is_the_mcp_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.method = "POST", .target = "/mcp", .answer = "mcp-session-id: x1");
    size_t b = ASK(.method = "POST", .target = "/mcp", .answer = "Mcp-Session-Id: x2");

    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.target = "/mcp", .header = "Mcp-Session-Id: x1", .connection = 7), a);
    assert_int_equal(ASK(.target = "/mcp", .header = "MCP-SESSION-ID: x2"), b);
    assert_int_equal(kind_of(s, a), WW_KEY_HEADER);
    assert_true(is_named(s, a, "mcp-session-id", "x1"));
}

static void a_field_goes_before_the_cookie(void **state)
{
    struct ww_sessions *s = *state;
    size_t page = ASK(.set = "session=mac:1");
    size_t tool =
        ASK(.cookie = "session=mac:1", .method = "POST", .answer = "Mcp-Session-Id: m");

    assert_int_not_equal(page, tool);
    assert_int_equal(
        ASK(.cookie = "session=mac:1", .header = "Mcp-Session-Id: m", .set = "session=mac:2"),
        tool);
    assert_int_equal(ASK(.cookie = "session=mac:2"), page);
}

static void a_session_header_that_is_replaced_is_the_same_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.header = "X-Session-ID: one", .connection = 1);

    assert_int_equal(kind_of(s, a), WW_KEY_HEADER);
    assert_int_equal(
        ASK(.header = "X-Session-ID: one", .answer = "X-Session-ID: two", .connection = 1), a);
    assert_int_equal(ASK(.header = "x-session-id: two", .connection = 9), a);
    assert_int_not_equal(ASK(.header = "X-Session-ID: three", .connection = 1), a);
}

/* Some servers number every answer so. */
static void a_session_header_that_nobody_sends_begins_nothing(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.answer = "X-Session-ID: " ID1);

    assert_int_equal(ASK(.answer = "X-Session-ID: " ID2), a);
    assert_int_equal(ASK(.method = "POST", .answer = "X-Session-ID: " ID3), a);
    assert_int_equal(kind_of(s, a), WW_KEY_CLIENT);
}

static void a_timeout_is_no_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.agent = "a", .header = "X-Session-Timeout: 30");

    assert_int_not_equal(ASK(.agent = "b", .header = "X-Session-Timeout: 30"), a);
    assert_int_equal(kind_of(s, a), WW_KEY_CLIENT);
}

#define POLL "/socket.io/?EIO=4&transport=polling"

static void the_handshake_of_socket_io_is_in_its_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t page = ASK(.set = "session=mac:1");
    size_t a = ASK(.target = POLL, .cookie = "session=mac:1", .type = "text/plain",
                   .body = "0{\"sid\":\"" ID1 "\",\"pingInterval\":25000}");

    assert_int_not_equal(a, page);
    assert_int_equal(ASK(.target = POLL "&sid=" ID1, .cookie = "session=mac:1"), a);
    assert_int_equal(ASK(.target = POLL "&sid=" ID1, .method = "POST"), a);
    assert_int_not_equal(ASK(.target = POLL "&sid=" ID2), a);
    assert_int_equal(kind_of(s, a), WW_KEY_QUERY);
    assert_true(is_named(s, a, "sid", ID1));
}

static void an_event_stream_gives_out_the_session_of_its_messages(void **state)
{
    struct ww_sessions *s = *state;
    size_t page = ASK(.set = "session=mac:1");
    size_t a = ASK(.target = "/sse", .cookie = "session=mac:1", .type = "text/event-stream",
                   .body = "event: endpoint\ndata: /messages/?session_id=" ID1 "\n\n");

    assert_int_not_equal(a, page);
    assert_int_equal(ASK(.target = "/messages/?session_id=" ID1, .cookie = "session=mac:1"), a);
}

static void a_query_field_that_may_be_anything_comes_after_the_cookie(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.set = "session=mac:1");
    size_t b = ASK(.target = "/chat?session_id=" ID1);

    assert_int_equal(kind_of(s, b), WW_KEY_QUERY);
    assert_int_equal(ASK(.target = "/chat?session_id=" ID1, .agent = "other"), b);
    assert_int_equal(ASK(.target = "/chat?session_id=" ID1, .cookie = "session=mac:1"), a);
    assert_int_equal(kind_of(s, ASK(.target = "/students?sid=3")), WW_KEY_CLIENT);
}

static void jsessionid_in_the_path_is_the_cookie(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.set = "JSESSIONID=" ID1), b;

    assert_int_equal(ASK(.target = "/cart;jsessionid=" ID1 "?a=b", .connection = 3), a);
    b = ASK(.target = "/cart;jsessionid=" ID2);
    assert_int_equal(kind_of(s, b), WW_KEY_PATH);
    assert_int_equal(ASK(.cookie = "JSESSIONID=" ID2), b);
    b = ASK(.answer = "Location: /home;jsessionid=" ID3, .connection = 5);
    assert_int_equal(ASK(.target = "/home;jsessionid=" ID3, .connection = 6), b);
}

/* ---- what a login changes */

static void what_was_done_before_the_login_belongs_to_the_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4);

    assert_int_equal(ASK(.connection = 4, .method = "POST", .set = "sessionid=mac:1"), a);
    assert_int_equal(ASK(.connection = 8, .cookie = "sessionid=mac:1"), a);
    assert_int_equal(kind_of(s, a), WW_KEY_COOKIE);
    assert_true(is_named(s, a, "sessionid", "mac:1"));
    assert_int_not_equal(ASK(.connection = 4), a);
    assert_int_not_equal(ASK(.connection = 8), a);
}

static void others_behind_the_same_address_do_not(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4);

    assert_int_equal(ASK(.connection = 5), a);
    assert_int_not_equal(ASK(.connection = 5, .method = "POST", .set = "sessionid=mac:1"), a);
    a = ASK(.connection = 6, .agent = "p", .header = "X-Forwarded-For: 10.0.0.1");
    assert_int_not_equal(ASK(.connection = 6, .agent = "p", .set = "sessionid=mac:2",
                             .header = "X-Forwarded-For: 10.0.0.1"),
                         a);
}

#define LOGIN(token)                                                                           \
    .method = "POST", .target = "/login", .body = "{\"access_token\":\"" token "\"}"

static void a_token_on_the_connection_that_got_it_is_the_same_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, LOGIN(ID1));

    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID1), a);
    assert_int_equal(ASK(.connection = 4), a);
    assert_int_equal(ASK(.connection = 9, .auth = "Bearer " ID1), a);
    assert_int_equal(kind_of(s, a), WW_KEY_AUTHORIZATION);
    assert_true(is_named(s, a, "Authorization", "Bearer " ID1));
    assert_int_not_equal(ASK(.connection = 10), a);
}

static void a_token_on_another_connection_is_a_session_of_its_own(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, LOGIN(ID1)),
           b = ASK(.connection = 5, .auth = "Bearer " ID1);

    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.connection = 6, .auth = "Bearer " ID1), b);
}

static void two_logins_on_one_connection_are_two_people(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, LOGIN(ID1)), b = ASK(.connection = 4, LOGIN(ID2));

    assert_int_not_equal(a, b);
    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID1), a);
    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID2), b);
    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID1), a);
    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID2), b);
}

static void a_key_made_for_somebody_else_is_his(void **state)
{
    struct ww_sessions *s = *state;
    size_t admin = ASK(.connection = 4, .auth = "Bearer " ID1);

    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID1, .method = "POST",
                         .body = "{\"token\":\"" ID2 "\"}"),
                     admin);
    assert_int_not_equal(ASK(.connection = 4, .auth = "Bearer " ID2), admin);
}

static void a_refreshed_token_is_the_same_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.auth = "Bearer " ID1);

    ASK(.auth = "Bearer " ID1, .method = "POST", .target = "/auth/refresh",
        .body = "{\"access_token\":\"" ID2 "\"}");
    assert_int_equal(ASK(.auth = "Bearer " ID2, .connection = 8), a);
}

static void what_came_with_a_token_is_of_the_same_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, .method = "POST",
                   .body = "{\"jwt\":\"" ID1 "\",\"refresh_token\":\"" ID2 "\"}");

    assert_int_equal(ASK(.connection = 4, .auth = "Bearer " ID1), a);
    assert_int_equal(ASK(.connection = 5, .auth = "Bearer " ID2), a);
}

static void a_token_with_its_cookie_is_the_cookies_session(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, .set = "session=mac:1", LOGIN(ID1));

    assert_int_equal(ASK(.connection = 5, .cookie = "session=mac:1", .auth = "Bearer " ID1), a);
    assert_int_equal(ASK(.connection = 5, .auth = "Bearer " ID1), a);
    size_t b = ASK(.connection = 6, .set = "session=mac:2", LOGIN(ID2));
    assert_int_not_equal(ASK(.connection = 7, .auth = "Bearer " ID2), b);
}

static void an_id_in_the_answer_is_the_session_of_the_header(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.connection = 4, .method = "POST", .target = "/login",
                   .body = "{\"session_id\":\"" ID1 "\"}");

    assert_int_equal(ASK(.connection = 4, .header = "X-Session-ID: " ID1), a);
    assert_int_equal(ASK(.connection = 5, .header = "X-Session-ID: " ID1), a);
    assert_true(is_named(s, a, "X-Session-ID", ID1));
}

/* ---- weakness */

static void a_key_from_two_addresses_is_weak(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.auth = "Bearer " ID1, .client = "10.0.0.1");

    assert_false(ww_sessions_key(s, a)->weak);
    ASK(.auth = "Bearer " ID1, .client = "10.0.0.2");
    assert_true(ww_sessions_key(s, a)->weak);
}

static void behind_a_proxy_nobody_is_a_test(void **state)
{
    struct ww_sessions *s = *state;
    size_t a = ASK(.header = "X-Forwarded-For: 10.0.0.1"),
           b = ASK(.header = "X-Forwarded-For: 10.0.0.2");

    assert_int_not_equal(a, b);
    assert_true(ww_sessions_key(s, a)->weak);
}

/* ---- configured */

static void with_carriers(struct ww_carrier *c, size_t n, void (*run)(struct ww_sessions *s))
{
    struct ww_sessions_config cfg = { .carrier = c, .carriers = n };
    struct ww_sessions *s = ww_sessions_new(&cfg);

    run(s);
    ww_sessions_free(s);
    for (size_t i = 0; i < n; i++)
        ww_re_free(c[i].pattern);
}

static void use_plain(struct ww_sessions *s)
{
    size_t a = ASK(.cookie = "theme=7; session=mac:1", .header = "X-Tenant: acme");

    assert_int_equal(kind_of(s, a), WW_KEY_HEADER);
    assert_int_equal(ASK(.cookie = "session=mac:2", .header = "x-tenant: acme"), a);
    size_t b = ASK(.cookie = "theme=7; session=mac:1", .set = "theme=8");
    assert_int_not_equal(a, b);
    assert_int_equal(kind_of(s, b), WW_KEY_COOKIE);
    assert_int_equal(ASK(.cookie = "session=mac:5; theme=8"), b);
    size_t c = ASK(.target = "/a?x=1&u=9", .cookie = "session=mac:1");
    assert_int_equal(ASK(.target = "/b?u=9"), c);
    assert_int_equal(kind_of(s, c), WW_KEY_QUERY);
    size_t d = ASK(.target = "/shop;v=1;cart=3/items?u=");
    assert_int_equal(ASK(.target = "/shop;cart=3", .connection = 9), d);
    assert_int_equal(kind_of(s, d), WW_KEY_PATH);
}

static void configured_carriers_come_first(void **state)
{
    struct ww_carrier c[] = { { .kind = WW_KEY_HEADER, .name = WW_STR("X-Tenant") },
                              { .kind = WW_KEY_COOKIE, .name = WW_STR("theme") },
                              { .kind = WW_KEY_QUERY, .name = WW_STR("u") },
                              { .kind = WW_KEY_PATH, .name = WW_STR("cart") } };

    with_carriers(c, 4, use_plain);
}

static void use_patterns(struct ww_sessions *s)
{
    struct ww_payload p = { .value = WW_STR("mac:9"), .json = WW_STR("{\"uid\":12}") };
    size_t a = ASK(.target = "/u/17/cart");

    assert_int_equal(kind_of(s, a), WW_KEY_PATTERN);
    assert_true(is_named(s, a, "user", "17"));
    assert_int_equal(ASK(.target = "/u/17", .client = "10.0.0.9"), a);
    assert_int_not_equal(ASK(.target = "/u/18"), a);
    size_t b = ASK(.header = "X-Ctx: a;user=5;b");
    assert_int_equal(ASK(.header = "X-Ctx: user=5"), b);
    size_t c = ASK(.cookie = "state=mac:9", .payload = &p);
    assert_true(is_named(s, c, "state", "12"));
    assert_int_equal(ASK(.cookie = "state=\"uid\":12"), c);
    assert_int_equal(kind_of(s, ASK(.target = "/other")), WW_KEY_CLIENT);
}

static void patterns_capture_from_target_header_and_cookie(void **state)
{
    struct ww_err err;
    struct ww_carrier c[] = {
        { WW_KEY_PATTERN, WW_STR("user"), ww_re_new("^/u/(\\d+)", false, &err), WW_OF_TARGET },
        { WW_KEY_PATTERN, WW_STR("X-Ctx"), ww_re_new("user=(\\d+)", false, &err),
          WW_OF_HEADER },
        { WW_KEY_PATTERN, WW_STR("state"), ww_re_new("\"uid\":(\\d+)", false, &err),
          WW_OF_COOKIE },
    };

    with_carriers(c, 3, use_patterns);
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
        TEST(what_initialize_gives_out_is_the_mcp_session),
        TEST(a_field_goes_before_the_cookie),
        TEST(a_session_header_that_is_replaced_is_the_same_session),
        TEST(a_session_header_that_nobody_sends_begins_nothing),
        TEST(a_timeout_is_no_session),
        TEST(the_handshake_of_socket_io_is_in_its_session),
        TEST(an_event_stream_gives_out_the_session_of_its_messages),
        TEST(a_query_field_that_may_be_anything_comes_after_the_cookie),
        TEST(jsessionid_in_the_path_is_the_cookie),
        TEST(what_was_done_before_the_login_belongs_to_the_session),
        TEST(others_behind_the_same_address_do_not),
        TEST(a_token_on_the_connection_that_got_it_is_the_same_session),
        TEST(a_token_on_another_connection_is_a_session_of_its_own),
        TEST(two_logins_on_one_connection_are_two_people),
        TEST(a_key_made_for_somebody_else_is_his),
        TEST(a_refreshed_token_is_the_same_session),
        TEST(what_came_with_a_token_is_of_the_same_session),
        TEST(a_token_with_its_cookie_is_the_cookies_session),
        TEST(an_id_in_the_answer_is_the_session_of_the_header),
        TEST(a_key_from_two_addresses_is_weak),
        TEST(behind_a_proxy_nobody_is_a_test),
        TEST(configured_carriers_come_first),
        TEST(patterns_capture_from_target_header_and_cookie),
        TEST(a_name_comes_after_a_session_and_goes_on_with_it),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
