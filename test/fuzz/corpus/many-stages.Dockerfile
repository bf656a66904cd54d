FROM busybox AS s0
RUN echo 0
FROM s0 AS s1
RUN echo 1
FROM s1 AS s2
RUN echo 2
FROM s2 AS s3
RUN echo 3
FROM s3 AS s4
RUN echo 4
FROM s4 AS s5
RUN echo 5
FROM s5 AS s6
RUN echo 6
FROM s6 AS s7
RUN echo 7
FROM s7 AS s8
RUN echo 8
FROM s8 AS s9
RUN echo 9
FROM s9 AS s10
RUN echo 10
FROM s10 AS s11
RUN echo 11
FROM s11 AS s12
RUN echo 12
FROM s12 AS s13
RUN echo 13
FROM s13 AS s14
RUN echo 14
FROM s14 AS s15
RUN echo 15
FROM s15 AS s16
RUN echo 16
FROM s16 AS s17
RUN echo 17
FROM s17 AS s18
RUN echo 18
FROM s18 AS s19
RUN echo 19
FROM s19 AS s20
RUN echo 20
FROM s20 AS s21
RUN echo 21
FROM s21 AS s22
RUN echo 22
FROM s22 AS s23
RUN echo 23
FROM s23 AS s24
RUN echo 24
COPY --from=s3 /a /b
COPY --from=12 /a /b
