/* The far side of packet-client, one process for each port and pinned to a CPU; ends when its stdin does.
 *   sink     takes datagrams; at each line on stdin prints how many have arrived, those included that found the buffer full. Looks every
 *            millisecond: to be woken for each datagram would cost their sender, on the other CPU, more than all else. One of a
 *            single byte is answered, and not counted
 *   echo     sends datagrams back
 *   answer   TCP: takes a request, answers, closes
 *   swallow  reads TCP streams
 * Usage: packet-server MODE ADDRESS PORT CPU */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 32, BATCH = 64 };

static char buffer[1 << 18];

static void drain(int fd, long *arrived)
{
	static struct mmsghdr messages[BATCH];
	static struct sockaddr_in from[BATCH];
	struct iovec into = { buffer, sizeof buffer };
	int got = BATCH;
	while (got == BATCH) {
		for (int i = 0; i < BATCH; i++)
			messages[i].msg_hdr = (struct msghdr){ .msg_iov = &into, .msg_iovlen = 1, .msg_name = &from[i], .msg_namelen = sizeof from[i] };
		got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < got; i++)
			if (messages[i].msg_len == 1)
				sendto(fd, buffer, 1, 0, (struct sockaddr *)&from[i], sizeof from[i]);
			else
				++*arrived;
	}
}

static void tell(int fd, long arrived)
{
	unsigned memory[SK_MEMINFO_VARS];
	socklen_t length = sizeof memory;
	getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length);
	printf("%ld\n", arrived + memory[SK_MEMINFO_DROPS]);
	fflush(stdout);
}

static void echo(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof from;
	ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
	if (got >= 0)
		sendto(fd, buffer, got, 0, (struct sockaddr *)&from, length);
}

static void answer(int fd)
{
	int flow = accept(fd, NULL, NULL);
	if (recv(flow, buffer, SIZE, MSG_WAITALL) == SIZE)
		send(flow, buffer, SIZE, 0);
	close(flow);
}

static void swallow(int fd)
{
	int flow = accept(fd, NULL, NULL);
	while (recv(flow, buffer, sizeof buffer, 0) > 0)
		;
	close(flow);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	char mode = argv[1][0];
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[3])) };
	inet_aton(argv[2], &at.sin_addr);
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[4]), &cpus);
	sched_setaffinity(0, sizeof cpus, &cpus);
	int stream = argv[1][1] == 'n' || argv[1][1] == 'w', size = 8 << 20, yes = 1;
	int fd = socket(AF_INET, stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (!stream)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) || (stream && listen(fd, 64))) {
		perror("bind");
		return 1;
	}
	int sink = mode == 's' && !stream;
	struct pollfd ready[] = { { 0, POLLIN, 0 }, { fd, POLLIN, 0 } };
	for (long arrived = 0; poll(ready, sink ? 1 : 2, sink ? 1 : -1) >= 0;) {
		if (sink)
			drain(fd, &arrived);
		else if (ready[1].revents)
			stream ? (mode == 'a' ? answer(fd) : swallow(fd)) : echo(fd);
		if (!ready[0].revents)
			continue;
		if (read(0, buffer, sizeof buffer) <= 0)
			return 0;
		tell(fd, arrived);
	}
	return 1;
}
