{{/* Fails with a sentence where the values cannot work; each says what to write instead. */}}
{{- define "streamer.checks" -}}
{{- if not .Values.config -}}
{{- fail "config is empty: write the configuration of streamer there (kafka, schemas, endpoint, routes), see the chart's README" -}}
{{- end -}}
{{- include "streamer.checkRoutes" . -}}
{{- include "streamer.checkListening" . -}}
{{- include "streamer.checkMembership" . -}}
{{- include "streamer.checkSecrets" . -}}
{{- include "streamer.checkEndpoints" . -}}
{{- include "streamer.checkEnvironment" . -}}
{{- include "streamer.checkBudget" . -}}
{{- end -}}

{{- define "streamer.checkRoutes" -}}
{{- if and .Values.routeFiles .Values.config.routes -}}
{{- $named := false -}}
{{- range .Values.config.routes -}}
{{- if and (kindIs "string" .) (hasPrefix "routes/" .) -}}{{- $named = true -}}{{- end -}}
{{- end -}}
{{- if not $named -}}
{{- fail "routeFiles would never be read, since config.routes names no file: add `routes/*.yaml` to config.routes, or leave config.routes out" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamer.checkListening" -}}
{{- $host := include "streamer.configured" (list .Values.config "server" "host" "0.0.0.0") -}}
{{- if or (eq $host "localhost") (hasPrefix "127." $host) (eq $host "::1") -}}
{{- fail (printf "config.server.host is %q, where no probe reaches it: leave it out" $host) -}}
{{- end -}}
{{- end -}}

{{/* A static member whose name changes at a rollout is waited for until its session ends. */}}
{{- define "streamer.checkMembership" -}}
{{- $kafka := default dict .Values.config.kafka -}}
{{- $member := get (default dict $kafka.properties) "group.instance.id" -}}
{{- if $member -}}
{{- if ne .Values.kind "StatefulSet" -}}
{{- fail "config.kafka.properties has group.instance.id, which needs names that survive a rollout: set kind to StatefulSet" -}}
{{- end -}}
{{- if not (or (contains "${HOSTNAME}" $member) (contains "${POD_NAME}" $member)) -}}
{{- fail "group.instance.id in config.kafka.properties must differ by process: write \"${POD_NAME}\"" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A ConfigMap is no place for a secret. */}}
{{- define "streamer.checkSecrets" -}}
{{- $kafka := default dict .Values.config.kafka -}}
{{- $registry := default dict (get (default dict .Values.config.schemas) "registry") -}}
{{- $secrets := dict
  "schemas.registry.bearer" $registry.bearer
  "schemas.registry.basic.password" (get (default dict $registry.basic) "password")
-}}
{{- range list "sasl.password" "sasl.oauthbearer.client.secret" "ssl.key.password" "ssl.key.pem" "ssl.keystore.password" -}}
{{- $_ := set $secrets (printf "kafka.properties[%s]" .) (get (default dict $kafka.properties) .) -}}
{{- end -}}
{{- $endpoints := dict "endpoint" .Values.config.endpoint -}}
{{- range $name, $entry := default dict .Values.config.endpoints -}}
{{- $_ := set $endpoints (printf "endpoints.%s" $name) $entry -}}
{{- end -}}
{{- range $where, $entry := $endpoints -}}
{{- $endpoint := default dict $entry -}}
{{- $_ := set $secrets (printf "%s.token" $where) $endpoint.token -}}
{{- $_ := set $secrets (printf "%s.app.secret" $where) (get (default dict $endpoint.app) "secret") -}}
{{- if contains "@" (toString (default "" $endpoint.proxy)) -}}
{{- $_ := set $secrets (printf "%s.proxy" $where) $endpoint.proxy -}}
{{- end -}}
{{- end -}}
{{- range $where, $value := $secrets -}}
{{- if $value -}}
{{- if not (or (hasPrefix "file:" (toString $value)) (regexMatch "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}" (toString $value))) -}}
{{- fail (printf "config.%s is a secret in plain text: write \"${NAME}\" with secrets.env, or file:PATH with secrets.files" $where) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Values files are merged: one may bring the one form, and another the other. */}}
{{- define "streamer.checkEndpoints" -}}
{{- if and .Values.config.endpoint .Values.config.endpoints -}}
{{- fail "config has endpoint and endpoints: keep endpoints, with what stands under endpoint as its entry `default`, or set endpoint to null" -}}
{{- end -}}
{{- end -}}

{{/* These are read here too: a variable would change them behind the chart's back. */}}
{{- define "streamer.checkEnvironment" -}}
{{- $names := keys .Values.secrets.env -}}
{{- range .Values.extraEnv -}}{{- $names = append $names .name -}}{{- end -}}
{{- range $names -}}
{{- if has . (list "STREAMER__DELIVERY__DRAIN_TIMEOUT" "STREAMER__SERVER__PORT" "STREAMER__SERVER__HOST") -}}
{{- $key := trimPrefix "STREAMER__" . | replace "__" "." | lower -}}
{{- fail (printf "%s is set by a variable, and the chart computes from it: set config.%s" . $key) -}}
{{- end -}}
{{- if eq . "POD_NAME" -}}
{{- fail "POD_NAME is set by the chart: choose another name" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "streamer.checkBudget" -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (not (kindIs "invalid" $budget.minAvailable)) (not (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget has minAvailable and maxUnavailable: set one of them to null" -}}
{{- end -}}
{{- if and $budget.enabled (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable) -}}
{{- fail "podDisruptionBudget is enabled without a number: set minAvailable or maxUnavailable" -}}
{{- end -}}
{{- end -}}
