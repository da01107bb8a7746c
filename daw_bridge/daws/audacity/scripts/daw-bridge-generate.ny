;nyquist plug-in
;version 4
;type tool
;name "DAW Bridge Generate"
;author "DAW Bridge"
;release {version}
;copyright "Apache-2.0"
;debugbutton disabled
;control prompt "Sound like" string "" ""
;control seconds "Seconds (where nothing is selected)" float "" 5 0.2 60
;control takes "Takes" int "" 3 1 16
;control seed "Seed (-1: a new one)" int "" -1 -1 2147483647

(load "{library}" :verbose nil)

(cond ((string= prompt "") "Say in \"Sound like\" what you want to hear.")
      (t (db-answer
           (db-request (db-stem 0)
             (append (db-place)
               (list (list "action" "generate")
                     (list "prompt" prompt)
                     (list "seconds" seconds)
                     (list "takes" takes)
                     (list "seed" seed)))))))
