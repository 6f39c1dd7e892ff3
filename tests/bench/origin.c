/* bench: an origin that is never the bottleneck: pre-forked, one small JSON for each
 * connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG      1024
#define MAX_WORKERS  64
#define HEAD_BYTES   16384
#define ANSWER_BYTES 256

static int listen_anywhere(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&sa, &len)) {
        perror("origin: listen");
        return -1;
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(sa.sin_port));
    fflush(stdout);
    return fd;
}

static bool read_head(int fd)
{
    char head[HEAD_BYTES];
    size_t len = 0;
    while (len < sizeof head) {
        ssize_t n = read(fd, head + len, sizeof head - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        if (memmem(head, len, "\r\n\r\n", 4))
            return true;
    }
    return false;
}

static void work(int listener)
{
    char body[64];
    char answer[ANSWER_BYTES];
    int size = snprintf(body, sizeof body, "{\"pid\": %ld}", (long)getpid());
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                       "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                       size, body);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            perror("origin: accept");
            exit(EXIT_FAILURE);
        }
        if (read_head(fd) && write(fd, answer, (size_t)len) != len)
            fprintf(stderr, "origin: a short write\n");
        close(fd);
    }
}

int main(int argc, char **argv)
{
    long workers = argc > 1 ? strtol(argv[1], NULL, 10) : 2;
    if (workers < 1 || workers > MAX_WORKERS) {
        fprintf(stderr, "usage: origin [WORKERS, 1 to %d]\n", MAX_WORKERS);
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_anywhere();
    if (listener < 0)
        return EXIT_FAILURE;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    pid_t child[MAX_WORKERS];
    for (long i = 0; i < workers; i++) {
        child[i] = fork();
        if (child[i] < 0) {
            perror("origin: fork");
            return EXIT_FAILURE;
        }
        if (child[i] == 0) {
            sigprocmask(SIG_UNBLOCK, &ends, NULL);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(listener);
        }
    }
    int received;
    sigwait(&ends, &received);
    for (long i = 0; i < workers; i++)
        kill(child[i], SIGKILL);
    while (wait(NULL) > 0)
        ;
    return EXIT_SUCCESS;
}
