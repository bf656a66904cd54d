FROM scratch
ENV a="b c" d='e f' g=h\ i j="k\"l" m='n\o' o=
ENV legacy value with  spaces "and quotes" 'here'
ENV p=$a q="$a" r='$a' s=${a} t=\${a} u="\$a"
ENV "v"=w x"y"z=1
