/* Asks for "PREFIX<n>.wild.net", at most WINDOW questions at a time, in turns from sockets of USERS users from UID on (as root only,
 * unless it is one's own). Prints the median and the 99th percentile in microseconds, the seconds it took, and how many answers were
 * missing and how many no NOERROR with an address. Usage: dns-client ADDRESS PORT PREFIX FIRST COUNT STEP WINDOW UID USERS */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

/* The kernel asks who makes a socket, not who uses it. */
static int open_as(int uid, struct sockaddr_in *to)
{
	if (geteuid() != uid && seteuid(uid))
		return -1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (geteuid() != getuid() && seteuid(getuid()))
		return -1;
	return fd >= 0 && connect(fd, (struct sockaddr *)to, sizeof *to) == 0 ? fd : -1;
}

static int question(unsigned char *query, int id, const char *prefix, long number)
{
	char label[64];
	int length = snprintf(label, sizeof label, "%s%ld", prefix, number);
	memcpy(query, (unsigned char[]){ id >> 8, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, length }, 13);
	memcpy(query + 13, label, length);
	memcpy(query + 13 + length, "\4wild\3net\0\0\1\0\1", 14);
	return 13 + length + 14;
}

int main(int argc, char **argv)
{
	if (argc != 10)
		return 2;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	inet_aton(argv[1], &to.sin_addr);
	long first = atol(argv[4]), step = atol(argv[6]);
	int count = atoi(argv[5]), window = atoi(argv[7]), users = atoi(argv[9]), sent = 0, done = 0, bad = 0, under_way = 0, fds[users];
	double *samples = calloc(count, sizeof *samples), *at = calloc(count, sizeof *at);
	struct rlimit most;
	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	int ready = epoll_create1(0);
	for (int i = 0; i < users; i++) {
		if ((fds[i] = open_as(atoi(argv[8]) + i, &to)) < 0)
			return 1;
		epoll_ctl(ready, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){ .events = EPOLLIN, .data.fd = fds[i] });
	}
	double began = now();
	while (done < count) {
		for (; sent < count && under_way < window; sent++, under_way++) {
			unsigned char query[128];
			int length = question(query, sent, argv[3], first + sent * step);
			at[sent] = now();
			send(fds[sent % users], query, length, 0);
		}
		struct epoll_event events[64];
		/* long: a pause is a figure, not a failure */
		int got = epoll_wait(ready, events, 64, 20000);
		if (got <= 0)
			break;
		for (int i = 0; i < got; i++) {
			unsigned char answer[1500];
			if (recv(events[i].data.fd, answer, sizeof answer, MSG_DONTWAIT) < 12)
				continue;
			/* the one of the last 65,536 that has this id */
			int which = sent - 1 - ((sent - 1 - (answer[0] << 8 | answer[1])) & 0xffff);
			if (which < 0 || samples[which] > 0)
				continue;
			bad += answer[3] & 15 || !answer[7];
			samples[which] = now() - at[which];
			done++, under_way--;
		}
	}
	double took = now() - began;
	qsort(samples, count, sizeof *samples, ascending);
	printf("%.1f %.1f %.6f %d %d\n", samples[count / 2], samples[(long)count * 99 / 100], took / 1e6, count - done, bad);
	return 0;
}
