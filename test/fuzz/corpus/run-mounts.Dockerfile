FROM busybox AS b
FROM busybox
RUN --mount=type=bind,from=b,source=/etc,target=/mnt,rw cat /mnt/passwd
RUN --mount=type=tmpfs,target=/t,size=1m --mount=type=cache,id=x,target=/c,uid=1,gid=2,mode=0700,sharing=private true
RUN --mount=type=secret,id=s,target=/s,required=true,mode=0400,uid=5 --mount=type=secret,id=e,env=TOKEN cat /s
RUN --mount=type=ssh,id=default,required ssh -T x
RUN --mount=target=. --network=none --security=sandbox ls
RUN --network=host true
RUN ["sh", "-c", "echo \"json\""]
RUN --mount=type=cache,target=$HOME/x,from=b,source=bin true
