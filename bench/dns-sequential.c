/* One query after the other, for "PREFIX<n>.wild.net". Prints the median and the 99th percentile in microseconds, and how many
 * answers were missing or no NOERROR. Usage: dns-sequential ADDRESS PORT PREFIX FIRST COUNT STEP */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

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

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[2])) };
	inet_aton(argv[1], &at.sin_addr);
	int count = atoi(argv[5]), bad = 0;
	double *samples = calloc(count, sizeof *samples);
	struct timeval patience = { 2, 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&at, sizeof at))
		return 1;
	for (int i = 0; i < count; i++) {
		unsigned char query[128] = { i >> 8, i, 1, 0, 0, 1 }, answer[1500];
		char label[64];
		int length = snprintf(label, sizeof label, "%s%d", argv[3], atoi(argv[4]) + i * atoi(argv[6])), end = 12;
		query[end++] = length;
		memcpy(query + end, label, length);
		memcpy(query + end + length, "\4wild\3net\0\0\1\0\1", 14);
		end += length + 14;
		double began = now();
		send(fd, query, end, 0);
		ssize_t got = recv(fd, answer, sizeof answer, 0);
		samples[i] = now() - began;
		bad += got < 12 || (answer[3] & 15) || !answer[7];
	}
	qsort(samples, count, sizeof *samples, ascending);
	printf("%.1f %.1f %d\n", samples[count / 2], samples[count * 99 / 100], bad);
	return 0;
}
