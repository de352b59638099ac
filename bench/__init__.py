"""How fast is `streamer`, and what does it cost, beside a plain loop on the same topic?"""
