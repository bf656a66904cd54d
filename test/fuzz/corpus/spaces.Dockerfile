

  FROM   scratch   AS   x  
		ENV	a=b	 c=d 
  COPY   a    b   c/  
 
CMD   [ "a" ,  "b" ]  

