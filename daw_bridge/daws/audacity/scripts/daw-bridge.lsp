; What the plug-ins of DAW Bridge share. They leave requests in a folder, where daw-bridge audacity listen finds them.
; In texts a curly bracket stands for nothing else than a placeholder, which the installation fills in.

(setf db-inbox "{inbox}")
(setf db-command "{listen}")

(defun db-minute ()
  (strcat (get '*system-time* 'iso-date) " " (subseq (get '*system-time* 'iso-time) 0 5)))

; The listener writes this minute and the next into a file, again and again.
(defun db-listens ()
  (let ((file (open (strcat db-inbox "/listening") :direction :input))
        (found nil))
    (when file
      (do ((line (read-line file) (read-line file)))
          ((null line))
        (if (string= line (db-minute)) (setf found t)))
      (close file))
    found))

; Colons are no part of file names on Windows.
(defun db-digits (time)
  (strcat (subseq time 0 2) (subseq time 3 5) (subseq time 6 8)))

(defun db-stem (index)
  (format nil "~a/~a-~a-~a-~a" db-inbox
          (get '*system-time* 'iso-date)
          (db-digits (get '*system-time* 'iso-time))
          (random 1000000)
          index))

; A value is one line: what would break it is written as JSON does.
(defun db-plain (value)
  (let ((text (format nil "~a" value)) (plain ""))
    (dotimes (index (length text) plain)
      (setf plain (strcat plain (db-letter (char text index)))))))

(defun db-letter (letter)
  (case (char-code letter)
    (92 "\\\\")
    (10 "\\n")
    (13 "\\r")
    (9 "\\t")
    (t (string letter))))

(defun db-line (file key value)
  (format file "~a~a~a~%" key (int-char 9) (db-plain value)))

; Each is a key and its value. The last line says that the file is whole.
(defun db-request (stem lines)
  (let ((file (open (strcat stem ".request") :direction :output)))
    (when file
      (dolist (line lines)
        (db-line file (first line) (second line)))
      (db-line file "end" "yes")
      (close file))
    file))

(defun db-answer (is-written)
  (cond ((not is-written)
         (format nil "DAW Bridge cannot write into ~a. Run in a terminal:~%~a" db-inbox db-command))
        ((db-listens) "")
        (t (format nil "The request is kept, but nobody listens yet. Run in a terminal:~%~a" db-command))))

(defun db-place ()
  (list (list "start_s" (get '*selection* 'start))
        (list "end_s" (get '*selection* 'end))
        (list "project" (get '*project* 'name))
        (list "project_rate_hz" (get '*project* 'rate))))

(setf *float-format* "%.9f")
