FROM scratch AS a
ENV x=1
USER u
WORKDIR /w
ENTRYPOINT ["e"]
CMD ["c"]
FROM a AS b
ENTRYPOINT ["f"]
FROM b
COPY --from=a /1 /2
