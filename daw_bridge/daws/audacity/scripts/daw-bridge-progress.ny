;nyquist plug-in
;version 4
;type tool
;name "DAW Bridge Progress"
;author "DAW Bridge"
;release {version}
;copyright "Apache-2.0"
;debugbutton disabled

; Shows what the listener wrote last.
(load "{library}" :verbose nil)

(let ((file (open (strcat db-inbox "/progress.txt") :direction :input))
      (text ""))
  (when file
    (do ((line (read-line file) (read-line file)))
        ((null line))
      (setf text (format nil "~a~a~%" text line)))
    (close file))
  (cond ((not (db-listens)) (db-answer t))
        ((string= text "") "Nothing has been asked for yet.")
        (t text)))
