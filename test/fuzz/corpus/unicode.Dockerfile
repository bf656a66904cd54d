FROM scratch
ENV grüße=welt 名前=値 e="🦭 ${grüße}"
LABEL "ключ"="значение"
WORKDIR /ü/${名前}
CMD ["ñ", "\ud83d\ude00"]
COPY ñ.txt /日本/
