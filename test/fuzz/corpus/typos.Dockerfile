FRM busybox
FROM busybox
COPPY a b
COPY --form=x a b
RUN --mount=type=cahce,target=/x y
RUN --netwrok=none y
COPY --from=nope a b
EXPOSE http
