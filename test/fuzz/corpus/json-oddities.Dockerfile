FROM scratch
CMD ["a", "b\u0041\n"]
CMD ["a" "b"]
CMD ['a']
CMD []
ENTRYPOINT [ ]
ENTRYPOINT ["x"] trailing
ENTRYPOINT echo "x" [ y ]
RUN [ "a", 1 ]
SHELL ["a"]
