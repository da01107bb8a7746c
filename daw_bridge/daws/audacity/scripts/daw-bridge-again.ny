;nyquist plug-in
;version 4
;type tool
;name "DAW Bridge Again"
;author "DAW Bridge"
;release {version}
;copyright "Apache-2.0"
;debugbutton disabled
;control vary "How far from the best take (0: new seeds)" float "" 0 0 1
;control takes "Takes" int "" 3 1 16

(load "{library}" :verbose nil)

(db-answer
  (db-request (db-stem 0)
    (list (list "action" "again")
          (list "vary" vary)
          (list "takes" takes))))
