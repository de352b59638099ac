{{- define "streamer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "streamer.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "streamer.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamer.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamer.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "streamer.labels" -}}
{{ include "streamer.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The labels, and a map of others that go before them: (list . .Values.podLabels). */}}
{{- define "streamer.labelsWith" -}}
{{- merge (deepCopy (index . 1)) (include "streamer.labels" (index . 0) | fromYaml) | toYaml -}}
{{- end -}}

{{- define "streamer.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "streamer.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "streamer.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* A key of the configuration by its path, or the default: (list config "server" "port" 9464). */}}
{{- define "streamer.configured" -}}
{{- $section := get (index . 0) (index . 1) -}}
{{- if and (kindIs "map" $section) (hasKey $section (index . 2)) -}}
{{- get $section (index . 2) -}}
{{- else -}}
{{- index . 3 -}}
{{- end -}}
{{- end -}}

{{- define "streamer.port" -}}
{{- $port := include "streamer.configured" (list .Values.config "server" "port" 9464) -}}
{{- if not (regexMatch "^[1-9][0-9]{0,4}$" $port) -}}
{{- fail (printf "config.server.port is %q: write a fixed port (1 to 65535), since the probes and the PodMonitor need it" $port) -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{/* Whole seconds of `delivery.drain_timeout`, rounded up. */}}
{{- define "streamer.drainSeconds" -}}
{{- $text := include "streamer.configured" (list .Values.config "delivery" "drain_timeout" "20s") -}}
{{- if not (regexMatch "^[0-9]+(ms|s|m|h|d)$" $text) -}}
{{- fail (printf "config.delivery.drain_timeout is %q: write a whole number and ms, s, m, h or d (no variable: the grace period is computed from it)" $text) -}}
{{- end -}}
{{- $number := regexFind "^[0-9]+" $text | int64 -}}
{{- $unit := trimPrefix (regexFind "^[0-9]+" $text) $text -}}
{{- if eq $unit "ms" -}}{{- div (add $number 999) 1000 -}}
{{- else -}}{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) -}}
{{- end -}}
{{- end -}}

{{/* Drain, then 9 s for the last commit and leaving the group and 5 s for closing the clients, with a
     second to spare, are the least; 5 s more by default. */}}
{{- define "streamer.graceSeconds" -}}
{{- $drain := include "streamer.drainSeconds" . | int64 -}}
{{- $least := add $drain 15 -}}
{{- $given := .Values.terminationGracePeriodSeconds | int64 -}}
{{- if eq $given 0 -}}
{{- add $least 5 -}}
{{- else if lt $given $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and a process may need %d s to end (delivery.drain_timeout %d s, 15 s for the last commit and closing): set it to %d or more, or leave it 0" $given $least $drain $least) -}}
{{- else -}}
{{- $given -}}
{{- end -}}
{{- end -}}

{{/* The routing table: as configured, or all files of `routeFiles`. */}}
{{- define "streamer.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and .Values.routeFiles (not $config.routes) -}}
{{- $_ := set $config "routes" (list "routes/*.yaml") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}
