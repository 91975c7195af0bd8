#include "http/unlisten.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define ROUND_TRIP_MS 5   /* for who is about to be connected */
#define WAITING_MS    300 /* for all of them */

#ifndef __SANITIZE_THREAD__ /* which has its own in that place, and learns from it */
/* In place of the C library's, for libmicrohttpd: when it is quiesced, it removes the listening
 * socket from each thread's epoll set, and so does the thread itself, when it happens to look just
 * then. Whoever comes second is told that it is not there, or closed already, and aborts the
 * process (0.9.75 has it so). That it is not there any more is what both want. */
int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    int result = (int)syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);

    if (result != 0 && operation == EPOLL_CTL_DEL && (errno == ENOENT || errno == EBADF))
        return 0;
    return result;
}
#endif

/* A client that asks to connect from now on, by a packet without ACK, is not heard: it asks again
 * after a second, as after a packet that was lost, and is refused then. */
static void stop_hearing(MHD_socket listening)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags in TCP's header */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_ACK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), /* kept, whole */
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {.len = N_ELEMENTS(program), .filter = program};

    (void)setsockopt(listening, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* A client that has come, or is about to, and was not accepted yet believes to be connected, and
 * its request would be lost with the socket: the library takes it in. */
static void take_waiting(struct MHD_Daemon *mhd, MHD_socket listening)
{
    struct pollfd next = {.fd = listening, .events = POLLIN};
    int64_t deadline_ms = deadline_in(WAITING_MS);

    while (poll(&next, 1, ROUND_TRIP_MS) > 0 && deadline_left_ms(deadline_ms) > 0) {
        struct sockaddr_storage address;
        socklen_t size = sizeof(address);
        int socket_fd =
            accept4(listening, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (socket_fd >= 0)
            (void)MHD_add_connection(mhd, socket_fd, (struct sockaddr *)&address, size);
    }
}

void unlisten(struct MHD_Daemon *mhd, bool is_inherited)
{
    MHD_socket listening = MHD_quiesce_daemon(mhd);

    if (listening == MHD_INVALID_SOCKET)
        return;
    if (!is_inherited) {
        stop_hearing(listening);
        take_waiting(mhd, listening);
    }
    close(listening);
}
