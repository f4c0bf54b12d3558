"""The words of the pocket world, in English and in Chinese: which phrase means which label.

Pure data. It does not know grammar, probabilities or templates (english.py, chinese.py and templates.py do), nor pixels (renderer.py).

How to read it. A table maps a label to one comma-separated string, the most ordinary word first. A noun may carry marks:

    golden retriever=yellow     the noun alone already says the colour (an explicit colour word still wins)
    ballerina@dancing           the noun alone already says the motion (an explicit verb still wins)
    出租车/辆                    the Chinese measure word, where it is not the subject's usual one; 快艇/艘|条 allows two

English verbs stand in their base form and only their first word is conjugated. Things the world cannot draw stand under the
nearest thing it can: a fox is drawn as a dog, an aeroplane as a rocket, a dawn as a sunset, brown as orange.
"""

from __future__ import annotations

LANGUAGES = ("en", "zh")

# --------------------------------------------------------------------------------------------------------------- English

EN_NOUNS: dict[str, str] = {
    "ball": "ball, rubber ball, bouncy ball, football=white, soccer ball=white, beach ball, basketball=orange, volleyball=white,"
    " tennis ball=yellow, toy ball, baseball=white, golf ball=white, snooker ball, bowling ball, sphere, orb, globe=blue, marble,"
    " beachball, ping-pong ball=white, bead, planet=blue, moon=yellow",
    "star": "star, little star, five-pointed star, twinkling star, cartoon star, shooting star@right, paper star, toy star, glowing star,"
    " lucky star, magic star, star shape, sheriff's star=yellow, sparkling star, starfish=orange, comet@right, meteor@falling",
    "heart": "heart, love heart, heart shape, heart symbol, valentine heart=red, paper heart, little heart, cartoon heart,"
    " heart-shaped charm, heart emoji=red, love symbol, candy heart=pink, heart icon, valentine=red, glowing heart",
    "car": "car, automobile, sports car, racing car, race car, sedan, taxi=yellow, taxicab=yellow, cab=yellow, vehicle, suv, truck,"
    " pickup, van, bus, school bus=yellow, jeep=green, convertible, coupe, hatchback, limousine=white, motorcar, minivan, lorry,"
    " fire engine=red, fire truck=red, ambulance=white, police car=blue, supercar, electric car, toy car, roadster, hot rod=red,"
    " tractor=green, motorbike, motorcycle, ferrari=red, tram, train",
    "boat": "boat, ship, sailboat, sailing boat, yacht=white, ferry=white, vessel, fishing boat, motorboat, speedboat, rowing boat,"
    " canoe, kayak, dinghy, steamship, tugboat, gondola, cruise ship=white, paper boat=white, toy boat, galleon, catamaran, raft,"
    " steamer, schooner, pirate ship, lifeboat=orange, submarine=yellow, swan boat=white",
    "balloon": "balloon, hot-air balloon, hot air balloon, party balloon, toy balloon, helium balloon, birthday balloon, air balloon,"
    " rubber balloon, airship=white, blimp=white, zeppelin=white, weather balloon=white, soap bubble=blue, bubble=blue, kite,"
    " sky lantern=orange, paper lantern=orange, parachute",
    "cat": "cat, kitten, kitty, pussycat, tabby, tabby cat, ginger cat=orange, ginger kitten=orange, house cat, tomcat, persian cat=white,"
    " siamese cat=white, moggy, calico cat, pussy cat, kitty cat, alley cat, feline, baby cat, tiger=orange, tiger cub=orange,"
    " lion=yellow, lion cub=yellow, leopard=yellow, snow leopard=white, lynx, pet cat, marmalade cat=orange",
    "dog": "dog, puppy, pup, doggy, doggie, golden retriever=yellow, labrador=yellow, yellow lab=yellow, corgi=orange, husky=white,"
    " poodle=white, hound, terrier, dalmatian=white, beagle, bulldog=white, dachshund=orange, samoyed=white, shiba inu=orange,"
    " sheepdog=white, spaniel, chihuahua=yellow, german shepherd=orange, retriever=yellow, pug=yellow, border collie, maltese=white,"
    " pet dog, canine, puppy dog, mutt, pooch, fox=orange, wolf=white, akita=orange",
    "panda": "panda, giant panda, panda cub, panda bear, baby panda, black-and-white panda=white, black and white panda=white, bear,"
    " polar bear=white, bear cub, teddy bear=orange, red panda=red, koala, grizzly bear=orange, brown bear=orange, cub, panda baby",
    "fish": "fish, goldfish=orange, tropical fish, little fish, clownfish=orange, koi=orange, carp, salmon=pink, tuna=blue, trout,"
    " angelfish=yellow, angel fish=yellow, koi carp=orange, sea fish, reef fish, aquarium fish, betta fish, minnow, pufferfish=yellow,"
    " shark=blue, dolphin=blue, whale=blue, blue tang=blue, guppy, cod, sardine",
    "bird": "bird, sparrow, parrot=green, eagle, seagull=white, gull=white, dove=white, pigeon, robin=red, canary=yellow, swallow, hawk,"
    " falcon, owl, songbird, duck, duckling=yellow, swan=white, goose=white, chick=yellow, hummingbird=green, bluebird=blue, macaw,"
    " flamingo=pink, crane=white, stork=white, kingfisher=blue, budgie=green, cardinal=red, finch, birdie, penguin=white, butterfly",
    "robot": "robot, android, droid, cyborg, mech, machine, humanoid robot, toy robot, automaton, bot, robotic figure, metal robot,"
    " little robot, service robot, robot toy, mechanical man, tin robot, ai robot, mecha, cleaning robot, robot friend, giant robot",
    "person": "person, man, woman, boy, girl, kid, child, lady, guy, human, dancer@dancing, runner@right, hiker@right, traveller,"
    " traveler, skater@right, ballerina@dancing, gentleman, teenager, student, young man, young woman, old man, little girl, little boy,"
    " jogger@right, athlete, tourist, human being, adult, toddler, chap, fellow, street dancer@dancing, hip-hop dancer@dancing,"
    " break dancer@dancing, cyclist@right, princess=pink, prince, astronaut=white, nurse=white, doctor=white, chef=white, bride=white,"
    " santa claus=red, firefighter=red, policeman=blue, wizard=purple, grandmother, grandfather, pedestrian@right, stranger, friend",
    "rocket": "rocket, spaceship, spacecraft, space rocket, rocket ship, space shuttle=white, toy rocket, starship, moon rocket,"
    " rocketship, shuttle=white, firework rocket, space vehicle, space probe, ufo, flying saucer, aeroplane, airplane, plane, jet,"
    " aircraft, helicopter, jet plane, missile, lunar lander",
    "tree": "tree, oak=green, oak tree=green, pine tree=green, pine=green, fir=green, fir tree=green, cherry tree=pink, maple=orange,"
    " maple tree=orange, apple tree=green, sapling=green, willow=green, palm tree=green, birch, christmas tree=green, sakura tree=pink,"
    " cherry blossom tree=pink, evergreen=green, cedar=green, leafy tree=green, plant=green, bush=green, cactus=green, flower=pink,"
    " sunflower=yellow, tulip=red, seedling=green, sprout=green, mushroom=red",
    "house": "house, cottage, cabin, hut, home, little house, bungalow, villa=white, farmhouse, barn=red, mansion=white, dwelling,"
    " wooden house=orange, log cabin=orange, brick house=orange, igloo=white, chalet, town house, toy house, lodge, shack, castle,"
    " building, tower, tent, gingerbread house=orange, doll's house=pink, windmill=white, lighthouse=white, church=white, palace",
}

EN_COLOURS: dict[str, str] = {
    "red": "red, bright red, dark red, deep red, light red, crimson, scarlet, ruby, ruby-red, cherry-red, vivid red, blood-red, maroon,"
    " burgundy, vermilion, strawberry-red, fire-engine red, cherry, tomato-red, wine-red, reddish, rusty red, cardinal-red, apple-red",
    "green": "green, bright green, dark green, light green, pale green, emerald, emerald-green, lime, lime-green, grass-green, olive,"
    " olive-green, mint, mint-green, forest-green, jade, leaf-green, sea-green, deep green, vivid green, greenish, neon green, apple-green",
    "blue": "blue, bright blue, dark blue, light blue, pale blue, deep blue, sky-blue, sky blue, navy, navy-blue, azure, turquoise, cyan,"
    " cobalt, royal blue, sapphire, baby-blue, aqua, teal, ocean-blue, electric blue, bluish, ultramarine, cornflower-blue, aquamarine",
    "yellow": "yellow, bright yellow, golden, gold, light yellow, pale yellow, lemon, lemon-yellow, canary-yellow, sunny yellow, mustard,"
    " sunflower-yellow, banana-yellow, blond, deep yellow, yellowish, sand-coloured, gold-coloured, honey-coloured, neon yellow,"
    " amber-yellow",
    "purple": "purple, violet, lavender, lilac, bright purple, dark purple, light purple, deep purple, mauve, plum, plum-coloured,"
    " amethyst, grape-coloured, indigo, royal purple, pale purple, purplish, vivid purple, orchid-purple, aubergine, neon purple",
    "orange": "orange, bright orange, amber, tangerine, dark orange, light orange, brown, chestnut, caramel-coloured, copper, bronze, rust,"
    " pumpkin-coloured, carrot-coloured, apricot, chocolate-brown, light brown, burnt orange, deep orange, tan, hazel, neon orange,"
    " brownish, dark brown, terracotta, cinnamon",
    "pink": "pink, rose-coloured, magenta, fuchsia, bright pink, hot pink, light pink, pale pink, baby-pink, rosy, salmon-pink,"
    " bubblegum-pink, candy-pink, pastel pink, rose-pink, deep pink, pinkish, flamingo-pink, neon pink, blush-pink, cherry-blossom pink",
    "white": "white, snow-white, ivory, pale, snowy white, pure white, cream, cream-coloured, milky white, pearl, pearly, off-white,"
    " chalk-white, bright white, whitish, porcelain-white, milk-white, pearl-white, cloud-white, eggshell, spotless white, beige,"
    " colourless",
}

# How a colour can trail its noun: "{}" is the colour word.
EN_COLOUR_TAILS: dict[str, str] = {
    "ball": "painted {} | in {} | coloured {}",
    "star": "in {} | coloured {} | glowing in {}",
    "heart": "in {} | coloured {} | glowing in {}",
    "car": "painted {} | in {} | with {} paint | that is painted {}",
    "boat": "painted {} | in {} | with a {} hull | that is painted {}",
    "balloon": "in {} | coloured {} | made of {} rubber",
    "cat": "with {} fur | with a {} coat | coloured {}",
    "dog": "with {} fur | with a {} coat | coloured {}",
    "panda": "with {} fur | with a {} coat | coloured {}",
    "fish": "with {} scales | with {} fins | coloured {}",
    "bird": "with {} feathers | with {} wings | coloured {}",
    "robot": "painted {} | in {} | made of {} metal | with {} armour",
    "person": "in {} | dressed in {} | in a {} shirt | wearing a {} shirt | wearing {} | in {} clothes | in a {} coat | in a {} jacket"
    " | wearing a {} dress | with a {} sweater | in a {} t-shirt",
    "rocket": "painted {} | in {} | coloured {}",
    "tree": "with {} leaves | coloured {} | with {} foliage",
    "house": "painted {} | with {} walls | coloured {}",
}

# The gaits of left and right. Said alone they name no direction and mean "right".
EN_GAITS: dict[str, str] = {
    "ball": "roll, move, go, travel, glide, slide, fly, zoom, race, shoot",
    "star": "move, fly, glide, drift, travel, shoot, zoom, streak, slide, soar",
    "heart": "move, fly, float, drift, glide, travel, slide, go",
    "car": "drive, speed, race, cruise, roll, move, travel, go, zoom, hurtle, rush, head",
    "boat": "sail, cruise, float, glide, drift, move, travel, go, speed, row, paddle",
    "balloon": "fly, float, drift, move, glide, travel, sail, go",
    "cat": "run, walk, trot, move, dash, go, stroll, wander, jog, scamper, race, sprint, prowl, rush, gallop, travel",
    "dog": "run, walk, trot, move, dash, go, stroll, wander, jog, scamper, race, sprint, swim, rush, gallop, travel",
    "panda": "walk, run, move, stroll, trot, wander, jog, amble, go, march, roll, waddle, travel, dash",
    "fish": "swim, glide, move, dart, drift, go, travel, cruise, race, paddle",
    "bird": "fly, soar, glide, move, flutter, flap, go, travel, swoop, wing, hover, walk",
    "robot": "walk, march, run, move, roll, go, stride, stroll, travel, jog, fly, patrol, race, stomp",
    "person": "walk, run, jog, stroll, move, go, hike, skate, stride, sprint, wander, march, travel, race, dash, swim, ski, cycle,"
    " ride a bike, surf, hurry, skateboard, ramble, trek",
    "rocket": "fly, move, travel, zoom, glide, speed, race, shoot, go, cruise, rush",
    "tree": "move, slide, glide, travel, walk, drift, go, roll",
    "house": "move, slide, glide, travel, drift, roll, walk, go",
}

EN_TOWARDS: dict[str, str] = {
    "left": "left, to the left, leftwards, leftward, towards the left, toward the left, from right to left, to the left side,"
    " left across the screen, across the screen to the left, off to the left, from the right to the left, towards the left edge,"
    " to the left-hand side, over to the left, away to the left",
    "right": "right, to the right, rightwards, rightward, towards the right, toward the right, from left to right, to the right side,"
    " right across the screen, across the screen to the right, off to the right, from the left to the right, towards the right edge,"
    " to the right-hand side, over to the right, away to the right",
}

# What may follow a gait without naming a direction.
EN_ONWARDS = (
    "past, by, along, ahead, forward, forwards, across the screen, at full speed, onwards, at great speed, through the scene, on and on"
)

EN_MOTIONS: dict[str, str] = {
    "left": "move left, go left, head left, turn left, drift to the left, slide left, travel left, leave on the left,"
    " pass from right to left, cross from right to left, shift to the left, make its way to the left",
    "right": "move right, go right, head right, turn right, drift to the right, slide right, travel right, leave on the right,"
    " pass from left to right, cross from left to right, shift to the right, make its way to the right, pass by, hurry along, rush past",
    "rising": "rise, float up, go up, ascend, float upwards, rise up, drift upwards, lift off, take off, climb into the sky,"
    " soar upwards, rise into the air, rise into the sky, fly up, fly upwards, move up, move upwards, levitate, float into the sky,"
    " rise higher and higher, float up into the air, ascend into the clouds, climb higher, drift up into the sky, fly up into the sky,"
    " soar into the sky, lift into the air",
    "falling": "fall, fall down, drop, descend, sink, tumble down, plunge, plummet, come down, float down, fall from the sky, drop down,"
    " go down, drift down, move down, move downwards, sink down, fall to the ground, fall out of the sky, tumble from the sky, glide down,"
    " drop to the ground, drift downwards, land, topple down, slide down, nosedive",
    "bouncing": "bounce, jump, hop, leap, bounce up and down, jump up and down, hop up and down, jump for joy, bounce around, hop around,"
    " hop along, spring up and down, jump around, leap up and down, bob up and down, skip, jump high, bounce on the spot,"
    " jump again and again",
    "spinning": "spin, rotate, twirl, whirl, turn round, turn around, revolve, spin around, spin in circles, whirl around,"
    " turn in circles, spin like a top, rotate on the spot, twirl around, pirouette, swirl, gyrate, spin round and round,"
    " go round and round, whirl like a top",
    "growing": "grow, grow bigger, get bigger, expand, swell, grow larger, get larger, become bigger, inflate, swell up,"
    " increase in size, become larger, grow and grow, get bigger and bigger, grow in size, grow up, become huge, enlarge, puff up,"
    " become gigantic, grow huge",
    "dancing": "dance, breakdance, groove, sway, boogie, dance around, dance to the music, waltz, do the tango, dance hip-hop,"
    " sway to the music, perform a street dance, sway from side to side, do a little dance, dance ballet, bust a move, dance the salsa,"
    " jive, do a dance, wiggle, perform a dance, do the twist, dance to the beat, rock to the rhythm, swing to the music,"
    " dance the night away",
}

# Verbs only some subjects have, beyond their gaits.
EN_MOTIONS_OF: dict[tuple[str, str], str] = {
    ("balloon", "rising"): "fly, float, fly away, float away, fly off, float off into the sky",
    (
        "rocket",
        "rising",
    ): "fly, blast off, launch, fly off, fly into space, shoot up into the sky, fly to the moon, launch into space, soar",
    ("tree", "growing"): "bloom, grow taller, blossom, sprout, grow tall, get taller",
    ("heart", "growing"): "beat, pulse, throb, swell with love",
    ("house", "growing"): "grow taller, get taller",
    ("balloon", "growing"): "fill with air, get blown up",
    ("ball", "falling"): "fall to the floor",
    ("boat", "falling"): "sink to the bottom",
    ("robot", "dancing"): "do the robot dance, do a robot dance",
    ("person", "dancing"): "dance gracefully, practise dance moves, dance in the street style",
    ("star", "falling"): "fall like a shooting star",
    ("star", "right"): "shoot across the sky",
    ("bird", "rising"): "take wing",
    ("fish", "bouncing"): "leap in and out",
    ("car", "right"): "drive by, drive along, race along",
}

# A participle in front of the noun: "a bouncing ball". Right also takes every one-word gait.
EN_ATTRIBUTES: dict[str, str] = {
    "left": "left-moving, leftward-moving, leftbound",
    "right": "right-moving, rightward-moving, rightbound",
    "rising": "rising, ascending, slowly rising, levitating",
    "falling": "falling, dropping, descending, sinking, tumbling, plunging",
    "bouncing": "bouncing, jumping, hopping, leaping, skipping",
    "spinning": "spinning, rotating, twirling, whirling, revolving",
    "growing": "growing, expanding, swelling, ever-growing, enlarging",
    "dancing": "dancing, swaying, grooving, breakdancing, boogieing",
}

# Verbs that promise nothing: the sentence stays silent about the motion.
EN_IDLE: dict[str, str] = {
    "ball": "lie there, wait, appear, shine, gleam",
    "star": "glow, shine, sparkle, appear, twinkle, shimmer",
    "heart": "glow, shine, appear, gleam, say hello",
    "car": "wait, appear, gleam, stand there, shine, honk",
    "boat": "wait, appear, rest, lie there, shine",
    "balloon": "appear, shine, gleam, wait",
    "cat": "play, appear, have fun, enjoy itself, purr, eat, sleep, sit, rest, look around, say hello, watch the world, drink milk",
    "dog": "play, appear, have fun, enjoy itself, bark, eat, sleep, sit, rest, look around, say hello, play fetch, chew a bone",
    "panda": "play, appear, have fun, enjoy itself, eat bamboo, eat, sleep, sit, rest, look around, say hello, drink tea, play the guitar",
    "fish": "appear, eat, look around, blow bubbles, live, play",
    "bird": "sing, appear, chirp, tweet, eat, rest, sit, look around, whistle, play",
    "robot": "work, appear, have fun, stand there, wait, think, beep, cook, look around, say hello, play the piano",
    "person": "play, appear, have fun, smile, laugh, sing, read a book, play the guitar, eat, drink coffee, work, wait, sit, stand there,"
    " relax, look around, take a photo, cook, paint a picture, talk, say hello",
    "rocket": "wait, appear, shine, gleam, stand there",
    "tree": "stand, appear, live, stand there, rustle",
    "house": "stand, appear, sit, stand there",
}

EN_ADVERBS = (
    "slowly, quickly, gently, happily, gracefully, cheerfully, smoothly, playfully, calmly, steadily, joyfully, lazily, quietly, merrily,"
    " softly, swiftly, rapidly, elegantly, peacefully, gradually"
)

# Where and when, standing still: after the subject, or at the start of the sentence.
EN_SCENE_AT: dict[str, str] = {
    "day": "on a sunny day, in the daytime, during the day, under a blue sky, under the blue sky, on a bright morning, in broad daylight,"
    " at noon, over green hills, on a clear day, in the sunshine, on a bright day, in bright sunlight, under the sun, in the morning,"
    " in the afternoon, on a fine day, beneath a clear blue sky, by day, on a beautiful sunny day, in the midday sun, on a summer's day,"
    " under a clear sky, with white clouds overhead, with the sun shining, on a warm spring day, in the blue sky, against a blue sky,"
    " on a sunny afternoon, in sunny weather, at midday, in daylight, on a sunny morning, among fluffy white clouds",
    "night": "at night, under the stars, in the moonlight, at midnight, by night, on a starry night, under a starry sky,"
    " in the night sky, in the dark, by moonlight, under the moon, late at night, on a dark night, beneath the stars, in the darkness,"
    " in the middle of the night, during the night, under the full moon, on a moonlit night, in outer space, in space, among the stars,"
    " with the moon overhead, against the night sky, in the dead of night, on a quiet night, under a night sky full of stars,"
    " after dark, at nighttime",
    "sunset": "at sunset, at dusk, in the evening glow, at golden hour, in twilight, in the evening, during sunset, in the sunset,"
    " under an orange sky, in the setting sun, at twilight, against the sunset, in the glow of the setting sun, as the sun sets,"
    " with the sun going down, in the golden light of evening, at the end of the day, at sundown, in the light of the setting sun,"
    " under a pink evening sky, in the warm evening light, at dawn, at sunrise, in the early evening, under a red evening sky,"
    " with a sunset in the background, at nightfall, before a glowing sunset",
    "park": "in a park, in the park, in a sunny park, in the garden, on the lawn, among the trees, on the grass, in a meadow, in a forest,"
    " in a green park, in a garden, in a field, on a green meadow, in the woods, in the green grass, in a city park, in a grassy field,"
    " on a grassy lawn, in a flower garden, at the park, in the playground, in a backyard, in a moonlit garden, in a quiet park,"
    " on the green grass, among the flowers, in a field of flowers, in a leafy park, in the countryside, in a sunny meadow, in the forest,"
    " in the yard, in a sunny garden, in a park on a sunny day, on a farm, under a tree, beneath an old oak tree, on a park lawn",
    "sea": "at sea, on the ocean, by the beach, on the waves, underwater, on the sea, by the sea, on the beach, at the beach, in the ocean,"
    " in the sea, on the water, on the blue sea, at the seaside, in the blue ocean, above the waves, on a sandy beach, on a calm sea,"
    " over the sea, on the open sea, on the shore, by the ocean, off the coast, under the sea, in the water, on a lake, on a river,"
    " in deep blue water, on the coast, with the ocean in the background, on a sunny beach, on a tropical beach, on a moonlit sea,"
    " among the waves, on a stormy sea, on a beach at sunset",
    "snow": "in the snow, on a snowy field, in winter, in a blizzard, on ice, on the snow, in a snowy landscape, in a snowstorm,"
    " on a snowy day, in falling snow, in a winter wonderland, among snowflakes, in deep snow, on a frozen lake, in the white snow,"
    " on a winter day, on a snowy night, in the icy cold, in a snow-covered field, at the north pole, in the arctic,"
    " on a snow-covered hill, with snow all around, in the winter snow, in a frosty landscape, in fresh snow, on a cold winter morning,"
    " in a snowy world, on a snowy winter evening",
    "neon_city": "in a neon city, in a cyberpunk city, downtown among neon lights, on a city street at night, in Tokyo at night,"
    " in a neon city at night, among neon lights, in the city, on a neon street, in a futuristic city, in a city at night,"
    " under neon lights, under the neon signs, in a neon-lit city, in the big city, downtown, on the street, in a city street,"
    " in the middle of a city, in a cyberpunk street, in a neon-lit alley, in a night club district, among skyscrapers,"
    " in front of neon signs, in Hong Kong at night, in a glowing city, amid city lights, in a modern city, in Times Square,"
    " in a cyberpunk world, in downtown Shanghai at night, in an urban street, in the streets of a neon city,"
    " on a rooftop above the neon city, in a sci-fi city",
    "mountain_road": "on a mountain road, on a winding road, on a highway, on a hill road, on a winding mountain road,"
    " on the mountain road, in the mountains, on the highway, on the road, on a mountain pass, on a country road, on an open road,"
    " on a curvy road, on a steep road, among the mountains, at the foot of the mountains, on a mountain highway,"
    " on a road in the mountains, with mountains in the background, on a road between mountains, on an alpine road, on a mountain path,"
    " on a coastal mountain road, on a long road, near the mountains, on a mountain road at sunset, on a sunny mountain road,"
    " on a mountainside road, in a mountain valley",
}

# Where, on the way: only behind a motion to the left or right.
EN_SCENE_THROUGH: dict[str, str] = {
    "day": "through the sunshine, across the blue sky, across a sunny sky, over green hills, past white clouds",
    "night": "through the night, across the night sky, through the dark, through space, through the starry night, across a starry sky",
    "sunset": "into the sunset, through the twilight, across the evening sky, through the golden evening light, through the dusk",
    "park": "through the park, across the lawn, through a sunny park, through the garden, across a meadow, through the woods,"
    " across the grass, through a field, around the park, through the grass, through a green park, across a field of flowers,"
    " through a forest",
    "sea": "across the sea, along the beach, over the waves, through the water, across the ocean, along the shore, through the waves,"
    " over the sea, along the coast, across the lake, across the water, down a river",
    "snow": "through the snow, across the ice, across a snowy field, through a blizzard, over the snow, through deep snow,"
    " across a frozen lake, through a snowstorm, through a winter landscape",
    "neon_city": "through a neon city, through neon-lit streets, through the city, down a neon street, past neon signs, through downtown,"
    " down a city street at night, through a cyberpunk city, through the streets, past skyscrapers, through the city at night",
    "mountain_road": "along a mountain road, along a winding road, through the mountains, down a mountain road, up a mountain road,"
    " along the highway, down the road, along the road, around the bends of a mountain road, along a mountain pass, down the highway,"
    " through a mountain valley, up a winding mountain road, along a country road",
}

# Where and when as bare keywords.
EN_SCENE_WORDS: dict[str, str] = {
    "day": "daytime, sunny day, blue sky, daylight, day, sunshine, bright morning, noon, clear sky, green hills, sunny weather",
    "night": "night, starry night, night sky, moonlight, midnight, stars, dark night, nighttime, outer space, full moon, space",
    "sunset": "sunset, dusk, golden hour, twilight, evening glow, evening, sunset sky, sundown, setting sun, dawn, sunrise",
    "park": "park, garden, green grass, meadow, lawn, sunny park, forest, in the park, field of flowers, green field, city park",
    "sea": "sea, ocean, beach, at sea, waves, blue sea, seaside, open sea, underwater, seashore, calm ocean, lake",
    "snow": "snow, winter, snowy field, blizzard, snowy landscape, ice, winter wonderland, snowfall, snowy day, snowstorm, frozen lake",
    "neon_city": "neon city, cyberpunk city, neon lights, city at night, neon street, futuristic city, night city, city street, cyberpunk,"
    " city lights, neon city at night, downtown",
    "mountain_road": "mountain road, winding road, highway, mountains, hill road, winding mountain road, mountain pass, country road,"
    " mountain highway, open road, mountain road at sunset",
}

# Where and when as a whole clause.
EN_SCENE_SAYS: dict[str, str] = {
    "day": "the sun is shining, the sky is blue, it is a sunny day, the sky is clear, it is a bright morning, it is noon,"
    " the weather is sunny, white clouds drift by, the sun shines",
    "night": "it is night, the stars are out, the moon is shining, stars twinkle overhead, it is midnight, it is dark, the moon shines,"
    " night has fallen, the sky is full of stars",
    "sunset": "the sun is setting, the sun sets, the sun goes down, dusk settles, the sky glows orange, the day ends, it is sunset,"
    " the evening sky glows, the sun is going down",
    "park": "the grass is green all around, the park is full of flowers, the lawn is fresh and green, the garden is in bloom",
    "sea": "waves roll by, the sea sparkles, the ocean is calm, the waves are rolling, the sea is blue",
    "snow": "it is snowing, snow covers everything, snowflakes are falling, it is winter, snow is falling, everything is covered in snow",
    "neon_city": "neon signs glow all around, neon lights flicker, the city glows with neon, city lights shine all around,"
    " neon lights glow",
    "mountain_road": "the road winds through the mountains, the mountain road winds on, the highway stretches ahead,"
    " mountains line the road",
}

# A time of day after a place: the place wins.
PLACES = ("park", "sea", "snow", "neon_city", "mountain_road")
EN_TIMES = (
    "at night, at sunset, at dusk, on a sunny day, in the morning, in the evening, under a blue sky, in the moonlight, under the stars,"
    " at golden hour, at noon, at midnight, in the sunshine, in the sunset, on a sunny afternoon"
)
EN_TIME_MARKS = "night, sunset, sun, moon, dusk, morning, evening, day, winter, space, time, dark"

EN_ADJECTIVES = (
    "cute, little, small, tiny, big, large, lovely, beautiful, pretty, cool, funny, nice, wonderful, adorable, charming, huge, giant,"
    " amazing, magical, simple, old, new, strange, cartoon, single, lone, cute little, stylish, sweet, perfect"
)
EN_ADJECTIVES_ALIVE = (
    "happy, cheerful, playful, friendly, brave, chubby, young, clever, curious, joyful, energetic, excited, sleepy, fluffy, silly, naughty"
)
EN_ADJECTIVES_THING = "shiny, brand-new, vintage, toy, fancy, gleaming, sparkling, round-edged, well-made, smooth, plastic"
EN_ACCESSORIES = (
    "wearing sunglasses, with a hat, wearing a hat, with sunglasses, wearing a scarf, with a bow tie, with headphones, wearing a cap,"
    " in sunglasses, with a backpack, with a big smile, wearing glasses, wearing a party hat, with a top hat, with a guitar"
)
EN_SOMEONE = ("someone", "somebody", "someone")
ALIVE = ("cat", "dog", "panda", "fish", "bird", "robot", "person")
ACCESSORISED = ("cat", "dog", "panda", "robot", "person")

EN_STYLES = (
    "cinematic, 4k, high quality, storybook style, cartoon style, cartoon, animation, hd, flat illustration, 8k, children's book style,"
    " highly detailed, masterpiece, smooth animation, vector art, minimalist, best quality, 3d render, short video, anime style, wide shot,"
    " close-up, slow motion, studio ghibli style, watercolour style, looping, camera follows,"
    " tracking shot, soft light, detailed background, dramatic lighting, low angle, bokeh, simple shapes, for kids, funny"
)

# Where a plain rule would misspell.
EN_DOUBLING = "run, hop, jog, swim, spin, get, drop, skip, sit, bob, jet, zip, trot, flap, wag, step, plod"
EN_IRREGULAR_PLURALS: dict[str, str] = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "fish": "fish", "goose": "geese", "wolf": "wolves",
    "spacecraft": "spacecraft", "aircraft": "aircraft", "policeman": "policemen", "gentleman": "gentlemen", "valentine": "valentines",
}  # fmt: skip
EN_IRREGULAR_THIRD: dict[str, str] = {"have": "has"}
EN_NO_PLURAL = "koi, salmon, tuna, trout, cod, carp, santa claus, sheriff's star, siamese, ai robot, home"

# A noun that holds one of these keeps to its own colour: nobody says "a purple red panda".
EN_FIXING = "red, blue, yellow, white, brown, black, ginger, marmalade"
ZH_FIXING = "红, 白, 橘, 绿, 蓝, 黑, 黄, 棕"

# --------------------------------------------------------------------------------------------------------------- Chinese

ZH_MEASURES: dict[str, str] = {
    "ball": "个|只|颗", "star": "颗|个", "heart": "颗|个", "car": "辆|台|部", "boat": "艘|条|只", "balloon": "个|只",
    "cat": "只", "dog": "只|条", "panda": "只|头", "fish": "条|尾", "bird": "只", "robot": "个|台",
    "person": "个|位|名", "rocket": "枚|支", "tree": "棵|株", "house": "座|栋|间|幢",
}  # fmt: skip

ZH_NOUNS: dict[str, str] = {
    "ball": "球, 皮球, 小球, 足球=white, 沙滩球, 篮球=orange, 排球=white, 网球=yellow, 弹力球, 橡胶球, 圆球, 玩具球, 大球, 球体, 弹珠/颗,"
    " 乒乓球=white, 棒球=white, 绣球=red, 保龄球, 地球=blue, 月亮/个|轮=yellow",
    "star": "星星, 小星星, 五角星, 星, 流星@right, 星形, 卡通星星, 幸运星, 发光的星星, 闪亮的星星, 纸星星, 海星/只=orange, 亮晶晶的星星,"
    " 小五角星, 彗星@right",
    "heart": "爱心, 心, 心形, 红心=red, 小爱心, 桃心, 心形图案, 爱心图案, 卡通爱心, 大爱心, 心脏=red, 小红心=red, 心形符号, 爱的心形,"
    " 纸爱心",
    "car": "汽车, 小汽车, 轿车, 跑车, 赛车, 出租车=yellow, 的士=yellow, 越野车, 卡车, 货车, 公交车, 巴士, 面包车, 吉普车=green, 小车, 车,"
    " 敞篷车, 车子, 校车=yellow, 消防车=red, 救护车=white, 警车=blue, 电动车, 玩具车, 老爷车, 轿跑, 超级跑车, 房车=white, 摩托车,"
    " 拖拉机=green, 私家车, 法拉利=red, 皮卡, 火车/列",
    "boat": "船, 小船, 帆船, 轮船, 游艇=white, 渡轮=white, 渔船, 快艇, 大船, 木船, 游船, 邮轮=white, 小帆船, 独木舟/条, 皮划艇/条, 货轮,"
    " 船只/艘, 纸船/只=white, 龙舟/条, 海盗船, 小舟/条, 摩托艇, 潜水艇=yellow, 汽艇, 橡皮艇",
    "balloon": "气球, 热气球, 派对气球, 氢气球, 小气球, 大气球, 生日气球, 氦气球, 飞艇/艘=white, 孔明灯/盏=orange, 泡泡=blue,"
    " 肥皂泡=blue, 风筝, 降落伞, 天灯/盏=orange",
    "cat": "猫, 小猫, 猫咪, 小猫咪, 橘猫=orange, 橘色猫咪=orange, 花猫, 小花猫, 喵星人, 奶猫, 小奶猫, 狸花猫, 波斯猫=white, 布偶猫=white,"
    " 英短, 家猫, 暹罗猫=white, 虎斑猫, 大猫, 老虎=orange, 小老虎=orange, 狮子/头|只=yellow, 小狮子=yellow, 豹子=yellow, 雪豹=white,"
    " 宠物猫, 胖橘=orange, 加菲猫=orange",
    "dog": "狗, 小狗, 狗狗, 金毛=yellow, 金毛犬=yellow, 金毛寻回犬=yellow, 拉布拉多=yellow, 柯基=orange, 柯基犬=orange, 哈士奇=white,"
    " 贵宾犬=white, 泰迪=orange, 柴犬=orange, 斑点狗=white, 幼犬, 萨摩耶=white, 小奶狗, 猎犬, 汪星人, 比格犬, 斗牛犬=white, 边境牧羊犬,"
    " 边牧, 土狗=yellow, 宠物狗, 腊肠犬=orange, 博美犬=white, 吉娃娃=yellow, 大狗, 秋田犬=orange, 狼=white, 狐狸=orange",
    "panda": "熊猫, 大熊猫, 小熊猫崽, 熊猫宝宝, 国宝熊猫, 胖熊猫, 熊猫幼崽, 滚滚, 黑白熊猫=white, 小胖熊猫, 圆滚滚的熊猫, 熊, 小熊,"
    " 北极熊=white, 泰迪熊=orange, 棕熊=orange, 考拉, 功夫熊猫",
    "fish": "鱼, 小鱼, 金鱼=orange, 热带鱼, 锦鲤=orange, 小丑鱼=orange, 鲤鱼, 鱼儿, 大鱼, 海鱼, 观赏鱼, 三文鱼=pink, 神仙鱼=yellow, 斗鱼,"
    " 河豚=yellow, 鲨鱼=blue, 海豚=blue, 鲸鱼=blue, 小海豚=blue, 草鱼, 胖头鱼",
    "bird": "鸟, 小鸟, 鸟儿, 麻雀, 鹦鹉=green, 老鹰, 海鸥=white, 鸽子=white, 燕子, 雄鹰, 喜鹊, 白鸽=white, 天鹅=white, 鸭子,"
    " 小鸭子=yellow, 火烈鸟=pink, 金丝雀=yellow, 黄鹂=yellow, 知更鸟=red, 翠鸟=blue, 猫头鹰, 仙鹤=white, 白鹭=white, 蜂鸟=green, 飞鸟,"
    " 小鸡=yellow, 企鹅=white, 蝴蝶, 大雁, 蓝鸟=blue",
    "robot": "机器人, 小机器人, 人形机器人, 机械人, 机甲, 大机器人, 玩具机器人, 智能机器人, 铁皮机器人, 人工智能机器人, 机器, 仿生人/个,"
    " 生化人/个, 机械战士, 金属机器人, 卡通机器人, 巨型机器人, 服务机器人",
    "person": "人, 男人, 女人, 男孩, 女孩, 小孩, 孩子, 小朋友, 男孩子, 女孩子, 女士, 先生, 小伙子, 姑娘, 小男孩, 小女孩, 舞者@dancing,"
    " 跑者@right, 行人@right, 旅行者, 旅人, 登山者, 滑冰者@right, 芭蕾舞者@dancing, 少年, 少女, 青年, 老人, 游客, 学生, 路人@right,"
    " 人类, 儿童, 宝宝, 美女, 帅哥, 大叔, 老奶奶, 老爷爷, 街舞少年@dancing, 舞蹈演员@dancing, 慢跑者@right, 年轻人, 女生, 男生, 小姑娘,"
    " 公主=pink, 王子, 宇航员=white, 护士=white, 医生=white, 厨师=white, 新娘=white, 圣诞老人=red, 消防员=red, 警察=blue, 朋友",
    "rocket": "火箭, 飞船/艘, 宇宙飞船/艘, 太空船/艘, 航天飞机/架=white, 小火箭, 宇宙火箭, 玩具火箭, 航天火箭, 运载火箭, 太空火箭,"
    " 星际飞船/艘, 登月火箭, 大火箭, 飞碟/个|架, 飞机/架, 喷气式飞机/架, 直升机/架, 太空飞船/艘",
    "tree": "树, 大树, 小树, 橡树=green, 松树=green, 柳树=green, 枫树=orange, 樱花树=pink, 苹果树=green, 椰子树=green, 小树苗=green,"
    " 树苗=green, 圣诞树=green, 杨树=green, 樱桃树=green, 棕榈树=green, 老树, 绿树=green, 参天大树, 桃树=pink, 植物=green,"
    " 仙人掌=green, 花/朵=pink, 鲜花/朵=pink, 小花/朵=pink, 向日葵/朵=yellow, 郁金香/朵=red, 蘑菇/个|朵=red, 小草=green, 幼苗=green,"
    " 灌木=green",
    "house": "房子, 小屋, 小房子, 木屋=orange, 小木屋=orange, 别墅=white, 茅屋, 农舍, 住宅, 屋子, 房屋, 大房子, 城堡, 砖房=orange, 平房,"
    " 楼房, 农家小院, 红砖房=red, 大楼, 塔, 高楼, 木房子=orange, 玩具屋, 冰屋=white, 帐篷/顶|个, 风车=white, 灯塔=white, 教堂=white,"
    " 宫殿, 洋房, 姜饼屋=orange",
}

# Plain colours stand before a noun with or without 的; the second table always takes 的; the third clings to short nouns.
ZH_COLOURS: dict[str, str] = {
    "red": "红色, 鲜红色, 大红色, 深红色, 朱红色, 暗红色, 酒红色, 砖红色, 正红色, 浅红色, 绯红色, 猩红色, 樱桃红, 中国红, 火红色, 亮红色",
    "green": "绿色, 翠绿色, 草绿色, 深绿色, 浅绿色, 墨绿色, 嫩绿色, 青绿色, 碧绿色, 橄榄绿, 薄荷绿, 军绿色, 荧光绿, 淡绿色, 亮绿色, 苹果绿",
    "blue": "蓝色, 天蓝色, 深蓝色, 浅蓝色, 湛蓝色, 海蓝色, 宝蓝色, 藏青色, 青色, 蔚蓝色, 湖蓝色, 淡蓝色, 克莱因蓝, 亮蓝色, 孔雀蓝, 靛蓝色",
    "yellow": "黄色, 金黄色, 金色, 明黄色, 浅黄色, 柠檬黄, 鹅黄色, 淡黄色, 土黄色, 深黄色, 亮黄色, 米黄色, 姜黄色, 嫩黄色",
    "purple": "紫色, 深紫色, 浅紫色, 淡紫色, 紫罗兰色, 薰衣草色, 葡萄紫, 暗紫色, 亮紫色, 丁香紫, 蓝紫色, 香芋紫",
    "orange": "橙色, 橘色, 橘黄色, 橙黄色, 橘红色, 橙红色, 棕色, 咖啡色, 褐色, 琥珀色, 深橙色, 浅橙色, 古铜色, 亮橙色, 棕黄色, 巧克力色,"
    " 焦糖色",
    "pink": "粉色, 粉红色, 桃红色, 浅粉色, 玫瑰色, 樱花粉, 桃色, 淡粉色, 洋红色, 亮粉色, 嫩粉色, 芭比粉, 玫瑰粉, 玫红色, 深粉色",
    "white": "白色, 纯白色, 雪白色, 乳白色, 米白色, 象牙白, 奶白色, 洁白, 纯白, 珍珠白, 奶油色, 瓷白色, 亮白色",
}
ZH_COLOURS_DE: dict[str, str] = {
    "red": "红彤彤, 鲜红, 火红, 通红, 大红, 红红, 红通通, 红艳艳, 赤红",
    "green": "绿油油, 翠绿, 碧绿, 嫩绿, 绿绿, 草绿, 青翠, 墨绿",
    "blue": "蔚蓝, 湛蓝, 天蓝, 蓝蓝, 蓝莹莹, 深蓝, 浅蓝, 海蓝",
    "yellow": "金灿灿, 金黄, 黄澄澄, 黄黄, 明黄, 金闪闪, 黄灿灿",
    "purple": "紫莹莹, 深紫, 淡紫, 紫紫, 浅紫",
    "orange": "橙黄, 橘红, 橙橙, 橘黄, 橙红, 棕褐",
    "pink": "粉嫩, 粉红, 粉粉, 粉嘟嘟, 桃红, 粉嫩嫩, 浅粉",
    "white": "雪白, 洁白, 白白, 白花花, 白白净净, 乳白, 纯白, 白茫茫",
}
ZH_COLOURS_SHORT: dict[str, str] = {
    "red": "红", "green": "绿", "blue": "蓝", "yellow": "黄", "purple": "紫", "orange": "橙", "pink": "粉", "white": "白",
}  # fmt: skip

ZH_COLOUR_CLOTHES = "穿{}衣服, 穿着{}衣服, 穿着{}外套, 身穿{}衣服, 穿{}裙子, 穿着{}T恤, 身着{}上衣, 穿{}毛衣, 穿着{}卫衣"

ZH_GAITS: dict[str, str] = {
    "ball": "滚动, 滚, 移动, 飞, 滑动",
    "star": "飞, 移动, 飞行, 划, 滑行, 飘",
    "heart": "飘, 移动, 飞, 飘动, 滑动",
    "car": "行驶, 开, 飞驰, 疾驰, 移动, 驶, 前进, 奔驰, 狂奔",
    "boat": "航行, 行驶, 漂, 驶, 移动, 开, 划行, 前进, 漂流",
    "balloon": "飘, 移动, 飞, 飘动, 飞行, 飘飞",
    "cat": "跑, 奔跑, 走, 移动, 小跑, 飞奔, 散步, 溜达, 跑步, 走动",
    "dog": "跑, 奔跑, 走, 移动, 小跑, 飞奔, 散步, 溜达, 跑步, 狂奔, 撒欢奔跑",
    "panda": "走, 跑, 移动, 行走, 爬, 散步, 溜达, 奔跑, 走动, 小跑",
    "fish": "游, 游动, 游泳, 移动, 遨游, 畅游, 游来游去",
    "bird": "飞, 飞翔, 飞行, 移动, 翱翔, 滑翔, 展翅飞翔",
    "robot": "走, 行走, 移动, 跑, 前进, 奔跑, 走路, 巡逻, 大步走, 飞",
    "person": "跑, 走, 跑步, 散步, 行走, 奔跑, 走路, 慢跑, 移动, 前进, 滑冰, 骑车, 赶路, 徒步, 滑雪, 冲刺, 游泳",
    "rocket": "飞, 飞行, 移动, 飞驰, 滑行, 疾驰",
    "tree": "移动, 滑动, 走, 挪动",
    "house": "移动, 滑动, 挪动, 走",
}
# Gaits that can end in 去: 向左跑去.
ZH_GAITS_AWAY = "跑, 走, 飞, 游, 开, 驶, 滚, 飘, 漂"
# Gaits that stand alone only: never behind a direction.
ZH_GAITS_ALONE = "散步, 溜达, 游来游去, 巡逻, 撒欢奔跑, 展翅飞翔, 骑车, 滑冰, 滑雪, 游泳, 跑步, 走路, 赶路, 徒步, 冲刺, 遨游, 畅游, 走动"
# Gaits too short to stand alone.
ZH_GAITS_BOUND = "划, 驶, 飘, 漂, 滚, 挪动, 开, 爬"

ZH_TOWARDS: dict[str, str] = {
    "left": "向左, 往左, 朝左, 向左边, 往左边, 朝左边, 朝着左边, 往左侧, 向左侧, 从右向左, 从右往左, 从右到左, 从右边往左边, 向画面左侧,"
    " 往画面左边, 朝左侧, 自右向左, 向左方, 朝左方",
    "right": "向右, 往右, 朝右, 向右边, 往右边, 朝右边, 朝着右边, 往右侧, 向右侧, 从左向右, 从左往右, 从左到右, 从左边往右边, 向画面右侧,"
    " 往画面右边, 朝右侧, 自左向右, 向右方, 朝右方",
}
ZH_ONWARDS = "向前, 往前, 快速, 飞快地, 不停地, 朝前"

# Verb phrases that may follow 正在 and may stand before 的.
ZH_MOTIONS: dict[str, str] = {
    "left": "向左移动, 往左移动, 向左前进, 向左走, 左移, 向左滑动, 向左平移, 往左边移动, 从右往左移动, 向左行进, 往左拐, 向左转移",
    "right": "向右移动, 往右移动, 向右前进, 向右走, 右移, 向右滑动, 向右平移, 往右边移动, 从左往右移动, 向右行进, 往右拐, 向前移动, 前进,"
    " 移动",
    "rising": "上升, 升起, 缓缓升起, 慢慢升起, 缓缓上升, 慢慢上升, 往上飞, 向上飘, 升上天空, 起飞, 往上升, 向上升起, 徐徐升起, 飞上天空,"
    " 飘向天空, 冉冉升起, 腾空而起, 向上移动, 升空, 飞向天空, 往高处飘, 往上飘, 飞向高空, 向上飞, 一点点升高, 升高, 飘上天空",
    "falling": "下落, 落下, 坠落, 下降, 掉落, 缓缓落下, 慢慢落下, 往下掉, 向下落, 下坠, 从天而降, 缓缓下降, 飘落, 从空中落下,"
    " 从天上掉下来, 往下落, 跌落, 向下移动, 降落, 徐徐落下, 从高处坠落, 从天空坠落, 下沉, 往下沉, 慢慢下降, 缓缓飘落",
    "bouncing": "跳跃, 跳, 蹦跳, 弹跳, 上下弹跳, 蹦蹦跳跳, 蹦, 上下跳动, 弹来弹去, 一蹦一跳, 跳来跳去, 蹦来蹦去, 跳高, 弹起落下,"
    " 原地跳跃, 欢快地蹦跳, 上蹿下跳, 蹦高, 跳跳蹦蹦, 活蹦乱跳",
    "spinning": "旋转, 转圈, 打转, 转动, 转圈圈, 原地旋转, 自转, 原地转圈, 原地打转, 不停旋转, 飞速旋转, 快速旋转, 回旋, 绕圈, 转身,"
    " 转来转去, 像陀螺一样旋转, 飞快地转圈, 翩翩旋转",
    "growing": "变大, 长大, 膨胀, 越变越大, 慢慢变大, 渐渐变大, 成长, 生长, 渐渐长大, 慢慢长大, 不断变大, 放大, 逐渐变大, 不断膨胀,"
    " 充气变大, 慢慢膨胀, 一点点变大, 快速长大, 扩大, 增大",
    "dancing": "跳舞, 跳街舞, 舞蹈, 跳霹雳舞, 翩翩起舞, 扭动身体, 摇摆, 起舞, 随着音乐跳舞, 跳芭蕾, 跳嘻哈舞, 左右摇摆, 跳探戈, 扭来扭去,"
    " 跳华尔兹, 蹦迪, 随音乐摇摆, 跳机械舞, 尽情跳舞, 热舞, 舞动, 跳一支舞, 随着节奏摇摆, 表演街舞, 跳广场舞, 手舞足蹈, 载歌载舞,"
    " 扭秧歌, 摇头晃脑地跳舞",
}
# Verb phrases that end a sentence and refuse 正在.
ZH_MOTIONS_DONE: dict[str, str] = {
    "left": "往左边去了, 向左移动着, 向左边离开, 一路向左, 从右边来到左边",
    "right": "往右边去了, 向右移动着, 向右边离开, 一路向右, 从左边来到右边, 一路前行",
    "rising": "升起来了, 飞了起来, 飞上了天空, 越升越高, 升上了高空, 越飞越高, 飘了起来, 升了起来, 缓缓上升着",
    "falling": "落了下来, 掉了下来, 从天上掉了下来, 越落越低, 落到地上, 掉下来了, 沉了下去, 坠落着, 下落着",
    "bouncing": "跳个不停, 蹦个不停, 跳上跳下, 跳了起来, 弹个不停, 跳了又跳, 高兴得蹦起来, 蹦跳着, 跳跃着",
    "spinning": "转个不停, 转了一圈又一圈, 转起圈来, 旋转起来, 转呀转, 转了起来, 旋转着, 转着圈",
    "growing": "越来越大, 越变越大, 变得越来越大, 越长越大, 变得很大, 大了起来, 长得越来越大, 膨胀着, 不断变大着",
    "dancing": "跳起舞来, 跳起了街舞, 扭来扭去, 舞动起来, 跳起了舞, 摇摆起来, 跳了一支舞, 跳着舞, 跳着街舞, 摇摆着",
}
ZH_MOTIONS_OF: dict[tuple[str, str], str] = {
    ("balloon", "rising"): "飞, 飞翔, 飘起, 飘走, 飞起",
    ("rocket", "rising"): "飞, 飞行, 发射, 发射升空, 点火升空, 飞向太空, 冲上云霄, 飞向月球, 冲向天空",
    ("tree", "growing"): "开花, 长高, 发芽, 绽放, 慢慢长高, 茁壮成长, 盛开",
    ("heart", "growing"): "跳动, 怦怦跳动",
    ("house", "growing"): "变高, 长高",
    ("bird", "rising"): "展翅高飞",
    ("person", "growing"): "长高",
    ("car", "right"): "疾驰而过, 开过, 飞驰而过",
    ("boat", "right"): "扬帆远航, 乘风破浪",
    ("bird", "right"): "飞过",
    ("star", "right"): "划过天空",
}

ZH_IDLE: dict[str, str] = {
    "star": "闪闪发光, 闪耀, 发光, 闪烁, 眨眼睛",
    "heart": "闪闪发光, 发光, 闪耀",
    "cat": "玩耍, 玩, 睡觉, 吃东西, 休息, 喵喵叫, 发呆, 喝牛奶, 晒太阳",
    "dog": "玩耍, 玩, 睡觉, 吃东西, 休息, 汪汪叫, 发呆, 啃骨头, 等主人",
    "panda": "玩耍, 玩, 吃竹子, 睡觉, 吃东西, 休息, 喝茶, 发呆, 弹吉他",
    "fish": "玩耍, 吐泡泡, 吃东西",
    "bird": "唱歌, 歌唱, 鸣叫, 吃东西, 休息, 玩耍",
    "robot": "工作, 玩耍, 思考, 做饭, 弹钢琴, 打招呼, 充电",
    "person": "玩耍, 玩, 看书, 唱歌, 弹吉他, 喝咖啡, 吃饭, 休息, 工作, 画画, 聊天, 拍照, 发呆, 微笑, 打招呼",
}

ZH_ADVERBS = (
    "慢慢地, 缓缓, 缓缓地, 快速地, 开心地, 高兴地, 轻轻地, 静静地, 飞快地, 欢快地, 优雅地, 悠闲地, 不停地, 快乐地, 愉快地, 慢慢,"
    " 自由地, 迅速地, 一直, 欢乐地"
)

# Each works as 在X, as X的…, and alone at the start of the sentence.
ZH_SCENE_AT: dict[str, str] = {
    "day": "蓝天下, 白天, 晴天, 阳光下, 晴空下, 蓝天白云下, 阳光明媚的日子里, 大白天, 正午, 中午, 早晨, 上午, 午后, 晴朗的日子里,"
    " 灿烂的阳光下, 明媚的阳光里, 晴朗的天空下, 晴朗的白天, 下午, 绿色的山丘上, 阳光明媚的早晨, 晴朗的蓝天下, 清晨, 蔚蓝的天空下,"
    " 艳阳下, 大太阳下, 阳光灿烂的午后, 万里晴空下",
    "night": "夜晚, 星空下, 月光下, 夜里, 晚上, 夜空下, 午夜, 深夜, 夜色中, 夜空中, 漆黑的夜里, 满天繁星下, 半夜, 黑夜里, 月夜, 黑暗中,"
    " 太空中, 宇宙中, 繁星点点的夜晚, 明月下, 安静的夜晚, 星光下, 皎洁的月光下, 夜幕下, 寂静的夜里, 外太空, 大晚上, 满月下",
    "sunset": "夕阳下, 黄昏, 傍晚, 晚霞中, 日落时分, 落日余晖中, 黄昏时分, 夕阳的余晖里, 落日下, 暮色中, 晚霞下, 太阳落山时, 夕阳西下时,"
    " 金色的夕阳里, 傍晚时分, 落日时, 日落时, 火烧云下, 橙红色的晚霞中, 黄昏的天空下, 金色的余晖中, 黄昏里, 日出时, 朝霞中, 黎明时分,"
    " 美丽的夕阳下",
    "park": "公园里, 花园里, 草地上, 公园的草坪上, 草坪上, 树林里, 阳光明媚的公园里, 绿色的草地上, 森林里, 花丛中, 小公园里, 草丛里,"
    " 田野里, 院子里, 后花园里, 绿油油的草地上, 公园的小路上, 城市公园里, 开满鲜花的花园里, 广阔的草原上, 郊外的草地上, 夕阳下的公园里,"
    " 月光下的花园里, 晴天的公园里, 操场上, 夜晚的公园里, 游乐场里, 草原上, 农场里, 田野上, 大树下",
    "sea": "海上, 海边, 大海里, 大海上, 海面上, 沙滩上, 海洋里, 海里, 水里, 蓝色的大海上, 波浪上, 水面上, 海滩上, 海底, 水下,"
    " 蔚蓝的海面上, 大海边, 海浪中, 湖面上, 平静的海面上, 海岸边, 夕阳下的海边, 深海里, 金色的沙滩上, 水中, 河面上, 夕阳下的海面上,"
    " 月光下的大海上, 波涛汹涌的大海上, 湖边, 海水里, 阳光明媚的海滩上",
    "snow": "雪地里, 雪地上, 冬天, 下雪天, 雪中, 冰天雪地里, 大雪中, 冰面上, 白雪皑皑的田野上, 雪原上, 冬天的雪地里, 风雪中, 雪天,"
    " 冬日里, 飘雪的冬天, 白茫茫的雪地里, 暴风雪中, 飞舞的雪花中, 冰雪世界里, 结冰的湖面上, 寒冷的冬天, 夜晚的雪地里, 夕阳下的雪地上,"
    " 厚厚的积雪上, 北极, 雪夜里, 漫天飞雪中, 冰上",
    "neon_city": "霓虹城市里, 赛博朋克城市里, 夜晚的都市街头, 霓虹灯下, 霓虹闪烁的城市里, 霓虹街头, 都市街头, 城市里, 赛博朋克的街道上,"
    " 城市的夜景中, 霓虹闪烁的街道上, 夜晚的城市里, 未来都市里, 大都市里, 城市街头, 东京街头, 夜上海的街头, 灯火辉煌的城市里, 闹市区,"
    " 霓虹灯闪烁的夜晚街头, 都市的夜晚, 繁华的城市街头, 科幻城市里, 五光十色的霓虹灯下, 街头, 大街上, 香港的夜晚街头, 市中心,"
    " 高楼大厦之间, 马路边的霓虹灯下, 未来城市里, 夜晚的霓虹城市里, 霓虹灯光里, 城市中心, 霓虹都市里, 街道上",
    "mountain_road": "山路上, 盘山公路上, 山间公路上, 公路上, 蜿蜒的山路上, 弯弯曲曲的山路上, 山间小路上, 高速公路上, 山间, 山里,"
    " 崎岖的山路上, 山区公路上, 蜿蜒的公路上, 乡间公路上, 大山里, 群山之间, 盘山路上, 夕阳下的山路上, 马路上, 山坡的公路上,"
    " 山谷的公路上, 阳光下的盘山公路上, 环山公路上, 夜晚的山路上, 险峻的山路上, 清晨的山路上, 山脚下的公路上, 高山公路上, 路上",
}

# Where, on the way: only before a motion to the left or right, and without 在.
ZH_SCENE_ALONG: dict[str, str] = {
    "day": "迎着阳光, 顶着太阳, 沐浴着阳光, 迎着朝阳, 顶着蓝天",
    "night": "披着月光, 迎着月光, 穿过夜色, 穿过夜空, 披着星光, 趁着夜色",
    "sunset": "迎着夕阳, 追着夕阳, 朝着夕阳, 穿过晚霞, 披着晚霞, 伴着落日",
    "park": "沿着公园的小路, 穿过公园, 穿过草地, 穿过花园, 穿过树林, 沿着花园, 绕着公园",
    "sea": "沿着海岸, 沿着海滩, 沿着海边, 穿过海浪, 越过大海, 贴着海面, 沿着沙滩, 迎着海浪",
    "snow": "穿过雪地, 沿着雪地, 顶着风雪, 冒着大雪, 踏着积雪, 穿过雪原, 迎着风雪",
    "neon_city": "沿着霓虹街道, 穿过霓虹城市, 穿过城市, 沿着都市街头, 沿着大街, 穿过霓虹灯, 穿过赛博朋克城市",
    "mountain_road": "沿着山路, 沿着盘山公路, 沿着蜿蜒的山路, 沿着公路, 沿着山间公路, 顺着山路, 穿过群山, 沿着高速公路, 沿着弯弯曲曲的山路",
}

ZH_SCENE_WORDS: dict[str, str] = {
    "day": "白天, 蓝天, 晴天, 阳光明媚, 蓝天白云, 阳光, 晴空, 大晴天, 正午, 早晨, 青山绿水",
    "night": "夜晚, 星空, 夜空, 月光, 深夜, 晚上, 繁星, 午夜, 月夜, 太空, 黑夜",
    "sunset": "夕阳, 黄昏, 傍晚, 晚霞, 日落, 落日, 落日余晖, 日落时分, 暮色, 朝霞, 日出",
    "park": "公园, 花园, 草地, 草坪, 树林, 绿草地, 阳光公园, 草原, 森林, 田野, 夕阳下的公园",
    "sea": "大海, 海边, 海上, 海洋, 沙滩, 海面, 蓝色大海, 海滩, 海浪, 水下, 湖泊",
    "snow": "雪地, 冬天, 雪景, 下雪, 冰天雪地, 大雪, 雪原, 冬日, 冰面, 雪天, 暴风雪",
    "neon_city": "霓虹城市, 赛博朋克城市, 霓虹灯, 都市街头, 城市夜景, 赛博朋克, 霓虹夜景, 未来都市, 城市, 夜晚的城市, 霓虹街道, 街头",
    "mountain_road": "山路, 盘山公路, 山间公路, 公路, 蜿蜒的山路, 高速公路, 群山, 山区, 崎岖山路, 弯曲的山路, 夕阳下的山路",
}

ZH_SCENE_SAYS: dict[str, str] = {
    "day": "阳光明媚, 天气晴朗, 天空蔚蓝, 晴空万里, 蓝天白云, 阳光灿烂, 太阳高照, 万里无云, 风和日丽",
    "night": "夜幕降临, 繁星满天, 夜深了, 月光皎洁, 星光闪烁, 天黑了, 夜色深沉, 明月当空, 夜空中星星闪烁, 万籁俱寂",
    "sunset": "夕阳西下, 晚霞满天, 太阳下山了, 太阳快落山了, 黄昏来临, 落日西沉, 天色渐晚, 夕阳无限好, 晚霞染红了天空",
    "park": "公园里绿草如茵, 公园里鸟语花香, 草地绿油油的, 花园里鲜花盛开, 公园里树木成荫",
    "sea": "海浪翻滚, 大海波光粼粼, 海面风平浪静, 海水湛蓝, 海浪拍打着沙滩, 大海一望无际",
    "snow": "大雪纷飞, 白雪皑皑, 雪花飘飘, 下着雪, 天寒地冻, 雪花纷飞, 大雪覆盖了一切, 下雪了, 冰天雪地",
    "neon_city": "霓虹闪烁, 城市灯火辉煌, 霓虹灯亮起, 城市里霓虹闪烁, 都市灯光璀璨, 街头霓虹闪耀, 城市华灯初上",
    "mountain_road": "山路蜿蜒, 公路在群山间蜿蜒, 盘山公路弯弯曲曲, 山路崎岖, 公路两旁群山环绕",
}

# A time of day in front of a place: the place wins.
ZH_TIMES = "夜晚, 傍晚, 夕阳下, 白天, 黄昏时分, 月光下, 晴天, 晚上, 清晨, 日落时分, 星空下, 阳光明媚的早晨, 深夜, 中午, 蓝天下"
ZH_TIME_MARKS = "夜, 夕阳, 阳光, 冬, 月, 晴, 晨, 雪, 霞, 天"

ZH_ADJECTIVES = (
    "可爱的, 小小的, 漂亮的, 美丽的, 大大的, 酷酷的, 有趣的, 好看的, 迷你的, 巨大的, 帅气的, 精致的, 神奇的, 孤独的, 萌萌的,"
    " 卡通版的, 很酷的, 普通的, 超级可爱的"
)
ZH_ADJECTIVES_ALIVE = "快乐的, 开心的, 活泼的, 调皮的, 胖乎乎的, 毛茸茸的, 聪明的, 勇敢的, 兴奋的, 憨憨的, 机灵的"
ZH_ADJECTIVES_THING = "闪亮的, 崭新的, 复古的, 玩具般的, 豪华的, 光滑的, 亮晶晶的, 精美的, 老旧的"
ZH_ACCESSORIES = (
    "戴着墨镜的, 戴帽子的, 戴着帽子的, 戴墨镜的, 系着围巾的, 背着书包的, 戴着耳机的, 打着领结的, 戴眼镜的, 戴着眼镜的,"
    " 面带微笑的, 戴着礼帽的, 抱着吉他的"
)
ZH_STYLES = (
    "卡通风格, 高清, 4K, 电影感, 高质量, 故事书风格, 动画风格, 绘本风格, 扁平插画, 唯美, 童话风格, 8K超清, 流畅动画, 短视频,"
    " 精美画质, 简约风格, 动漫风, 吉卜力风格, 慢镜头, 远景, 特写, 水彩风, 镜头跟随, 柔和光线, 细节丰富, 固定镜头, 画面温馨, 适合儿童"
)
