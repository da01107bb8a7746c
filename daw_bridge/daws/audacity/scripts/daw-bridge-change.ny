;nyquist plug-in
;version 4
;type analyze
;name "DAW Bridge Change"
;author "DAW Bridge"
;release {version}
;copyright "Apache-2.0"
;debugbutton disabled
;control ask "What" choice "Change the sound,Make the spectral selection anew,Add highs" 0
;control prompt "Sound like" string "" ""
;control strength "How far from the original" float "" {strength} 0 1
;control takes "Takes" int "" 3 1 16
;control seed "Seed (-1: a new one)" int "" -1 -1 2147483647

; Runs once for each selected track: each becomes a job of its own.
(load "{library}" :verbose nil)

(defun db-track-index () (get '*track* 'index))
(defun db-is-first () (= (db-track-index) (first (get '*selection* 'tracks))))

(defun db-refusal ()
  (cond ((and (< ask 2) (string= prompt ""))
         "Say in \"Sound like\" what you want to hear.")
        ((and (= ask 1) (not (get '*selection* 'low-hz)) (not (get '*selection* 'high-hz)))
         "There is no spectral selection. Drag one in the track's Spectrogram view, or choose \"Change the sound\".")))

(defun db-send ()
  (let ((stem (db-stem (db-track-index))))
    (s-save *track* ny:all (strcat stem ".wav") :format snd-head-wave :mode snd-mode-float :bits 32)
    (db-request stem
      (append (db-place)
        (list (list "action" (nth ask '("transfer" "inpaint" "superres")))
              (list "prompt" prompt)
              (list "strength" strength)
              (list "takes" takes)
              (list "seed" seed)
              (list "track" (get '*track* 'name))
              (list "track_start_s" (get '*track* 'start-time))
              (list "track_end_s" (get '*track* 'end-time))
              (list "rate_hz" *sound-srate*)
              (list "low_hz" (get '*selection* 'low-hz))
              (list "high_hz" (get '*selection* 'high-hz)))))))

(let ((refusal (db-refusal)))
  (cond ((and refusal (db-is-first)) refusal)
        (refusal "")
        ((db-is-first) (db-answer (db-send)))
        (t (db-send) "")))
