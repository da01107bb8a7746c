;nyquist plug-in
;version 4
;type tool
;name "DAW Bridge Cancel"
;author "DAW Bridge"
;release {version}
;copyright "Apache-2.0"
;debugbutton disabled

(load "{library}" :verbose nil)

(db-answer (db-request (db-stem 0) (list (list "action" "cancel"))))
